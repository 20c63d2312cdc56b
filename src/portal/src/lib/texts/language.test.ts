import { describe, expect, it } from 'vitest';
import { Dictionary, language, plural, supported } from './language.svelte';

const of = (word: string) => async () => ({ default: { word } });

describe('a dictionary', () => {
	it('that is asked for while a language is being loaded comes in that language', async () => {
		const first = new Dictionary({ word: 'one' }, { de: of('eins'), ar: of('واحد') });
		const choosing = language.choose('de');
		const second = new Dictionary({ word: 'two' }, { de: of('zwei'), ar: of('اثنان') });
		await Promise.all([choosing, second.ready()]);
		expect([first.t.word, second.t.word]).toEqual(['eins', 'zwei']);
		expect(document.documentElement.lang).toBe('de');
	});

	it('changes its direction with the language', async () => {
		await language.choose('ar');
		expect([language.direction, document.documentElement.dir]).toEqual(['rtl', 'rtl']);
		await language.choose('en');
		expect(document.documentElement.dir).toBe('ltr');
	});
});

describe('the language of a browser', () => {
	it.each([
		[['de-AT', 'en'], 'de'],
		[['fr', 'ar-EG'], 'ar'],
		[['fr'], 'en'],
		[[], 'en']
	])('%j is %s', (wanted, found) => {
		expect(supported(wanted)).toBe(found);
	});
});

describe('a number in a sentence', () => {
	it('takes the form of its language', async () => {
		expect([plural(1, { one: '# ticket', other: '# tickets' })]).toEqual(['1 ticket']);
		expect(plural(1200, { one: '# ticket', other: '# tickets' })).toBe('1,200 tickets');
		await language.choose('de');
		expect(plural(1200, { one: '# Ticket', other: '# Tickets' })).toBe('1.200 Tickets');
		await language.choose('en');
	});
});
