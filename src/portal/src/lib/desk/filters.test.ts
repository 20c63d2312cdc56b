import { describe, expect, it } from 'vitest';
import { matches, narrowed, order, query, read, SORTS, written } from './filters';
import { ticket } from './tickets.fixture';

const ME = 'me-1';
const from = (search: string) => read(new URLSearchParams(search));

describe('filters in the address', () => {
	it('without any are what a desk works on', () => {
		expect(from('').status).toEqual(['open', 'in_progress', 'pending']);
		expect(written(from(''))).toBe('');
		expect(narrowed(from(''))).toBe(false);
	});

	it('tell "all statuses" from "none chosen"', () => {
		expect(from('status=any').status).toEqual([]);
		expect(written(from('status=any'))).toBe('?status=any');
		expect('status' in query(from('status=any'))).toBe(false);
	});

	it.each([
		'?assignee=none',
		'?status=pending&assignee=me',
		'?project=apps,media-server&tag=hdr',
		'?title=4k+hdr&sort=-priority',
		'?status=resolved',
		'?escalated=true'
	])('%s is written as it was read', (search) => {
		expect(written(from(search))).toBe(search);
	});

	it('mean the same in any order, and are then the same text', () => {
		expect(written(from('?status=pending,open,in_progress'))).toBe('');
		expect(written(from('?priority=urgent,high'))).toBe(written(from('?priority=high,urgent')));
	});

	it('with a sort that there is not fall back to the newest first', () => {
		expect(from('sort=votes').sort).toBe('-created');
	});
});

describe('a ticket belongs to a list', () => {
	it.each([
		['', {}, true],
		['', { status: 'closed' }, false],
		['assignee=none', {}, true],
		['assignee=none', { assignee: { id: ME, name: 'I' } }, false],
		['assignee=me', { assignee: { id: ME, name: 'I' } }, true],
		['assignee=me,none', {}, true],
		['tag=hdr,regression', { tags: ['hdr', 'regression', 'x'] }, true],
		['tag=hdr,regression', { tags: ['hdr'] }, false],
		['category=none', { category: null }, true],
		['severity=critical', { severity: 'critical' }, true],
		['title=HDR+films', { title: 'Films in hdr stutter' }, true],
		['title=hdr+dolby', { title: 'Films in hdr stutter' }, false],
		['title=stut', { title: 'Films in hdr stutter' }, true],
		['title=utter', { title: 'Films in hdr stutter' }, false],
		['title=1042', { number: 1042, title: 'nothing' }, true],
		['title=%231042', { number: 1042, title: 'nothing' }, true],
		['title=42', { number: 1042, title: 'nothing' }, false]
	] as const)('%s %o: %s', (search, fields, belongs) => {
		expect(matches(ticket(fields as never), from(search), ME)).toBe(belongs);
	});
});

describe('the order of a list', () => {
	const some = [
		ticket({ number: 1, priority: 'low', created_at: '2026-01-01', updated_at: '2026-03-03' }),
		ticket({ number: 2, priority: 'urgent', created_at: '2026-01-02', updated_at: '2026-03-01' }),
		ticket({ number: 3, priority: 'low', created_at: '2026-01-02', updated_at: '2026-03-02' })
	];
	it.each([
		['-created', [3, 2, 1]],
		['created', [1, 2, 3]],
		['-updated', [1, 3, 2]],
		['updated', [2, 3, 1]],
		['-priority', [2, 3, 1]],
		['priority', [1, 3, 2]]
	] as const)('%s', (sort, numbers) => {
		expect(some.toSorted(order(sort)).map(({ number }) => number)).toEqual(numbers);
	});
	it('has a text for each sort', () => expect(SORTS).toHaveLength(6));
});
