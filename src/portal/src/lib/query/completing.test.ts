import { describe, expect, it } from 'vitest';
import { fitting, fixed, names, wanted } from './completing';

describe('what is being written', () => {
	it.each([
		['', { start: 0, end: 0, typed: '', field: null }],
		['sta|', { start: 0, end: 3, typed: 'sta', field: null }],
		['-Sta|', { start: 1, end: 4, typed: 'sta', field: null }],
		['st|atus:open', { start: 0, end: 7, typed: 'st', field: null }],
		['hdr |', { start: 4, end: 4, typed: '', field: null }],
		['status:|', { start: 7, end: 7, typed: '', field: 'status' }],
		['status:open,p|end', { start: 12, end: 16, typed: 'p', field: 'status' }],
		['priority:>=h|', { start: 11, end: 12, typed: 'h', field: 'priority' }],
		['assignee:"Mateo R|', { start: 9, end: 17, typed: 'mateo r', field: 'assignee' }],
		['tag:"a,b",c|', { start: 10, end: 11, typed: 'c', field: 'tag' }],
		['"a phr|', null],
		['https://exa|', null]
	])('%s', (marked, found) => {
		const caret = Math.max(0, marked.indexOf('|'));
		expect(wanted(marked.replace('|', ''), caret)).toEqual(found);
	});
});

it('what begins so comes first', () => {
	expect(fitting(names({ created: 'Opened' }), 'ope').map(({ text }) => text)).toEqual([
		'created:'
	]);
	expect(fitting(fixed('status', String), 'pen').map(({ text }) => text)).toEqual([
		'pending',
		'open'
	]);
});
