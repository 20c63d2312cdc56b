import { describe, expect, it } from 'vitest';
import { ticket } from '#lib/desk/tickets.fixture.ts';
import { matches, order } from './matching';
import { SORTS } from './query';

const ME = 'me-1';

describe('a ticket matches a query', () => {
	it.each([
		['', {}, true],
		['status:open,pending', { status: 'closed' }, false],
		['-status:open', { status: 'closed' }, true],
		['assignee:none', {}, true],
		['assignee:none', { assignee: { id: ME, name: 'I' } }, false],
		['assignee:me', { assignee: { id: ME, name: 'I' } }, true],
		['assignee:me,none', {}, true],
		['assignee:"Mateo Rossi"', { assignee: { id: 'x', name: 'mateo rossi' } }, true],
		['assignee:mateo', { assignee: { id: 'x', name: 'Mateo Rossi' } }, null],
		['assignee:mateo status:closed', { assignee: { id: 'x', name: 'Mateo Rossi' } }, false],
		['tag:hdr tag:regression', { tags: ['hdr', 'regression', 'x'] }, true],
		['tag:hdr tag:regression', { tags: ['hdr'] }, false],
		['category:none', { category: null }, true],
		['severity:>=high', { severity: 'critical' }, true],
		['priority:<normal', { priority: 'normal' }, false],
		['number:>=1000', { number: 1042 }, true],
		['hdr', { title: 'Films in hdr stutter' }, null],
		['-hdr', {}, null],
		['created:-7d', {}, null],
		['statsu:open', {}, null],
		['sort:-created', {}, true]
	] as const)('%s %o: %s', (query, fields, belongs) => {
		expect(matches(ticket(fields as never), query, ME)).toBe(belongs);
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
		expect(some.toSorted(order(sort)!).map(({ number }) => number)).toEqual(numbers);
	});
	it('has a text for each sort', () => expect(SORTS).toHaveLength(6));
	it('by relevance is the service’s', () => expect(order('relevance')).toBeNull());
});
