import { describe, expect, it } from 'vitest';
import { clauses } from './tokens';
import { titled, typed } from './typed';

const FAULTY = [
	'sort:-votes',
	'a:b:c -d',
	'("',
	'https://x.example/?a=b',
	'"',
	'>= <',
	'"a"b"c',
	'a,b\\"',
	'“a" -"b c'
];

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
		['"login loop" again', '"login loop" again*'],
		['„login loop“ «a b» “c d”', '"login loop" "a b" "c d"'],
		['"login lo', '"login" lo*'],
		['5" or 7"', '"5" or "7"'],
		['"" "…" " a \\" b"', '"a" "b"'],
		['a\0b', 'a b'],
		['مُشكِلة', 'مُشكِلة*'],
		['字幕 größe', '字幕 größe*']
	])('%s', (text, query) => {
		expect(typed(text)).toBe(query);
	});

	it('is text and nothing else', () => {
		for (const text of FAULTY)
			expect(clauses(typed(text)).every(({ name, whole }) => name === null && whole)).toBe(true);
	});

	it('is of titles and nothing else', () => {
		expect(titled('#1042 hdr "login loop" NOT')).toBe(
			'title:#1042 title:hdr title:"login loop" title:"NOT"'
		);
		for (const text of FAULTY)
			expect(clauses(titled(text)).every(({ name, whole }) => name === 'title' && whole)).toBe(
				true
			);
	});
});
