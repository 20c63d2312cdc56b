import { expect, it } from 'vitest';
import cases from './tokens.cases.json';
import { character, clauses } from './tokens';

/** What the service's parser makes of the same texts; it knows fields, and puts closed words in lower case. */
it.each(cases.filter((each) => each.clauses !== null))('$text', ({ text, clauses: parsed }) => {
	const found = clauses(text).filter(({ name }) => name !== 'sort');
	expect(found.every(({ whole }) => whole)).toBe(true);
	expect(
		found.map(({ start, end, negated, name, values, text: said, phrase }) => ({
			offset: character(text, start),
			length: character(text, end) - character(text, start),
			negated,
			...(name === null
				? { text: said, phrase }
				: { name, values: values.map((value) => [value.comparison, value.text]) })
		}))
	).toEqual(parsed);
});

it.each(cases.filter((each) => each.clauses === null))('$text is not whole', ({ text }) => {
	expect(clauses(text).every(({ whole }) => whole)).toBe(false);
});

it('whatever is typed, every character but blanks is in one part', () => {
	const signs = ['a', '"', ':', ',', '-', ' ', '\\', '(', '>', 'tag:', '😀', 'AND'];
	let seed = 7;
	for (let round = 0; round < 3000; round++) {
		let text = '';
		for (let length = 0; length < 12; length++) {
			seed = (seed * 48271) % 2147483647;
			text += signs[seed % signs.length];
		}
		const found = clauses(text);
		const covered = found.map(({ start, end }) => text.slice(start, end)).join('');
		expect(covered.replaceAll(/\s/g, '')).toBe(text.replaceAll(/\s/g, ''));
		expect(
			found.every(({ start, end }, at) => start < end && (at === 0 || found[at - 1]!.end <= start))
		).toBe(true);
	}
});
