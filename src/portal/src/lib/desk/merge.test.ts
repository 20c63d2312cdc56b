import { describe, expect, it } from 'vitest';
import { conflicts, merge, text } from './merge';

const lines = (...all: string[]) => all.join('\n');

describe('two changes of one text', () => {
	it.each([
		['nobody changed it', 'a\nb', 'a\nb', 'a\nb', 'a\nb'],
		['only they did', 'a\nb', 'a\nB', 'a\nb', 'a\nB'],
		['only I did', 'a\nb', 'a\nb', 'A\nb', 'A\nb'],
		['both did the same', 'a\nb', 'a\nX', 'a\nX', 'a\nX'],
		['in different places', 'a\nb\nc\nd\ne', 'A\nb\nc\nd\ne', 'a\nb\nc\nd\nE', 'A\nb\nc\nd\nE'],
		['they added, I removed', 'a\nb\nc', 'a\nb\nc\nd', 'b\nc', 'b\nc\nd'],
		['they removed a line', 'a\nb\nc', 'a\nc', 'a\nb\nC', null],
		['a text from nothing', '', 'theirs', '', 'theirs'],
		['a blank line', 'a\n\nb', 'a\nb', 'a\n\nb', 'a\nb']
	])('%s', (_, base, theirs, mine, merged) => {
		const parts = merge(base, theirs, mine);
		expect(conflicts(parts)).toBe(merged === null);
		if (merged !== null) expect(text(parts, 'mine')).toBe(merged);
	});

	it('in the same place is for somebody to decide, and the rest is merged', () => {
		const parts = merge(
			lines('title', '', 'one', 'two', 'end'),
			lines('TITLE', '', 'uno', 'two', 'end'),
			lines('title', '', 'eins', 'two', 'END')
		);
		expect(parts).toEqual([
			{ text: ['TITLE', ''] },
			{ base: ['one'], theirs: ['uno'], mine: ['eins'] },
			{ text: ['two', 'END'] }
		]);
		expect(text(parts, 'mine')).toBe(lines('TITLE', '', 'eins', 'two', 'END'));
		expect(text(parts, 'theirs')).toBe(lines('TITLE', '', 'uno', 'two', 'END'));
	});

	it('of great length is one part, which takes no time', () => {
		const long = Array.from({ length: 5000 }, (_, place) => `line ${place}`).join('\n');
		expect(conflicts(merge(long, `${long}\na`, `${long}\nb`))).toBe(true);
		expect(text(merge(long, `${long}\na`, long), 'mine')).toBe(`${long}\na`);
	});

	// Merging never invents a line, and gives one's own text back where the others changed nothing.
	it('keeps every line that one of both wrote', () => {
		let seed = 7;
		const random = (below: number) => (seed = (seed * 16807) % 2147483647) % below;
		const change = (of: string[]) =>
			of.flatMap(
				(line) =>
					[[line], [line], [line], [], [line, `new ${random(99)}`], [`not ${line}`]][random(6)]!
			);
		for (let round = 0; round < 200; round++) {
			const base = Array.from({ length: 1 + random(12) }, () => `line ${random(5)}`);
			const [theirs, mine] = [change(base), change(base)];
			const of = (all: string[]) => all.join('\n');
			const known = new Set([...base, ...theirs, ...mine, '']);
			const merged = text(merge(of(base), of(theirs), of(mine)), 'mine').split('\n');
			expect(merged.every((line) => known.has(line))).toBe(true);
			expect(text(merge(of(base), of(base), of(mine)), 'theirs')).toBe(of(mine));
			expect(text(merge(of(base), of(theirs), of(base)), 'mine')).toBe(of(theirs));
		}
	});
});
