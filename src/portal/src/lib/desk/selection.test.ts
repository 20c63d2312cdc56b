import { describe, expect, it } from 'vitest';
import { MOST, Selection } from './selection.svelte';

const listed = [9, 8, 7, 6, 5];

describe('a selection', () => {
	it('takes and gives back one', () => {
		const selection = new Selection();
		selection.toggle(8);
		expect([...selection.numbers]).toEqual([8]);
		selection.toggle(8);
		expect(selection.size).toBe(0);
	});

	it('extends from what was chosen last, in either direction', () => {
		const selection = new Selection();
		selection.toggle(7);
		selection.extend(5, listed);
		expect([...selection.numbers]).toEqual([7, 6, 5]);
		selection.extend(9, listed);
		expect([...selection.numbers].toSorted()).toEqual([5, 6, 7, 8, 9]);
	});

	it('begins with one if nothing was chosen before', () => {
		const selection = new Selection();
		selection.extend(7, listed);
		expect([...selection.numbers]).toEqual([7]);
	});

	it('never holds more than one change may concern', () => {
		const many = Array.from({ length: 250 }, (_, place) => place + 1);
		const selection = new Selection();
		selection.take(many);
		expect(selection.size).toBe(MOST);
		selection.toggle(200);
		expect(selection.size).toBe(MOST);
		selection.clear();
		selection.toggle(1);
		selection.extend(250, many);
		expect(selection.size).toBe(MOST);
	});
});
