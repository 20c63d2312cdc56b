import { describe, expect, it } from 'vitest';
import { reveal, shown } from './window';

describe('the rows that are shown', () => {
	it('are few, however long the list is', () => {
		const rows = shown(200_000, 800, 40, 10_000);
		expect(rows).toEqual({ start: 4992, end: 5029, above: 199_680, total: 400_000 });
	});

	it('are all of a short list', () => {
		expect(shown(0, 800, 40, 3)).toEqual({ start: 0, end: 3, above: 0, total: 120 });
	});

	it('are the last ones when a list got shorter than one had scrolled', () => {
		const rows = shown(90_000, 800, 40, 100);
		expect(rows.end).toBe(100);
		expect(rows.start).toBe(72);
	});

	it.each([
		[0, 400, 0],
		[9, 0, 0],
		[10, 0, 40],
		[20, 0, 440],
		[20, 440, 440]
	])('row %i is revealed from %i at %i', (place, scrolled, top) => {
		expect(reveal(place, scrolled, 400, 40)).toBe(top);
	});

	it('are not under a header', () => expect(reveal(9, 0, 400, 40, 32)).toBe(32));
});
