import { describe, expect, it } from 'vitest';
import { clauses } from './tokens';
import { typed } from './typed';

describe('the query for typed words', () => {
	it.each([
		['', ''],
		['  ', ''],
		['… & !', ''],
		['h', 'h'],
		['hdr', 'hdr*'],
		['hdr stut', 'hdr stut*'],
		['1042', '1042'],
		['#1042 ', '#1042'],
		['NOT a AND', '"NOT" a "AND"'],
		['status:open', '"status:open"'],
		['-5 x,y', '"-5" "x,y"'],
		['it\'s "quoted" \\x', '"it\'s" "quoted" "x"'],
		['字幕 größe', '字幕 größe*']
	])('%s', (text, query) => {
		expect(typed(text)).toBe(query);
	});

	it('is text and nothing else', () => {
		for (const text of ['sort:-votes', 'a:b:c -d', '("', 'https://x.example/?a=b', '"', '>= <'])
			expect(clauses(typed(text)).every(({ name, whole }) => name === null && whole)).toBe(true);
	});
});
