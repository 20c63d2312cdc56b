import { describe, expect, it } from 'vitest';
import { between, piecemeal, type Part } from './piecemeal';

type Entry = { id: string };
const entry = (number: number): Entry => ({ id: String(number) });

/** A list of so many entries, which is read in pages of at most `longest`. */
function list(length: number, longest = 100) {
	const asked: string[] = [];
	const read = async (newest: boolean, limit: number, cursor = '0') => {
		asked.push(`${newest ? 'newest' : 'first'} ${limit}`);
		const all = Array.from({ length }, (_, index) => entry(newest ? length - 1 - index : index));
		const end = Number(cursor) + Math.min(limit, longest);
		return {
			items: all.slice(Number(cursor), end),
			next: end < length ? String(end) : null
		};
	};
	return { asked, read };
}

const shown = (part: Part<Entry>) => part.items.map(({ id }) => Number(id));
const range = (from: number, to: number) =>
	Array.from({ length: to - from }, (_, index) => from + index);

describe('a long list', () => {
	it.each([0, 1, 80])('is read whole with one page if it has %i entries', async (length) => {
		const { asked, read } = list(length);
		const part = await piecemeal(undefined, false, read);
		expect([shown(part), part.gap, asked.length]).toEqual([range(0, length), null, 1]);
	});

	it('has no gap where its first and its newest entries meet', async () => {
		const part = await piecemeal(undefined, false, list(95).read);
		expect([shown(part), part.gap]).toEqual([range(0, 95), null]);
	});

	it('is read from both ends, and then on from the first', async () => {
		const { asked, read } = list(190);
		const begun = await piecemeal(undefined, false, read);
		expect([shown(begun), begun.gap]).toEqual([[...range(0, 20), ...range(110, 190)], 20]);
		expect(asked).toEqual(['newest 80', 'first 20']);
		const more = await piecemeal(begun, true, read);
		expect([shown(more), more.gap]).toEqual([[...range(0, 100), ...range(110, 190)], 100]);
		const again = await piecemeal(more, false, read);
		expect(again).toEqual(more);
		const all = await piecemeal(more, true, read);
		expect([shown(all), all.gap]).toEqual([range(0, 190), null]);
	});

	it('keeps what was shown when new entries come', async () => {
		const begun = await piecemeal(undefined, false, list(190).read);
		const more = await piecemeal(begun, false, list(300).read);
		expect([shown(more), more.gap]).toEqual([[...range(0, 20), ...range(110, 300)], 20]);
		const whole = await piecemeal(undefined, false, list(80).read);
		expect(shown(await piecemeal(whole, false, list(200).read))).toEqual(range(0, 200));
	});

	it('is read on although pages are shorter than they may be', async () => {
		const { read } = list(60, 7);
		let part = await piecemeal(undefined, false, read);
		expect([shown(part), part.gap]).toEqual([[...range(0, 7), ...range(53, 60)], 7]);
		for (const end of [14, 21, 28, 35, 42, 49]) {
			part = await piecemeal(part, true, read);
			expect([shown(part), part.gap]).toEqual([[...range(0, end), ...range(53, 60)], end]);
		}
		expect((await piecemeal(part, true, read)).gap).toBe(null);
	});

	it('tells between which moments some are left out', () => {
		const items = [entry(1), entry(2), entry(9)];
		expect(between({ items, gap: 2 }, ({ id }) => id)).toEqual({ after: '2', before: '9' });
		expect(between({ items, gap: null }, ({ id }) => id)).toBe(null);
		expect(between(undefined, () => '')).toBe(null);
	});
});
