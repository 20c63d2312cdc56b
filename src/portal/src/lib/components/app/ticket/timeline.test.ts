import { describe, expect, it } from 'vitest';
import type { Event, Ticket } from '#lib/api/client.ts';
import { ticket } from '#lib/desk/tickets.fixture.ts';
import { happenings } from './timeline';

const ANN = { id: 'a', name: 'Ann' };
function told(type: string, previous: Partial<Ticket>, after: Partial<Ticket>, actor = ANN) {
	return happenings(
		[
			{
				id: 'e',
				type,
				timestamp: '2026-11-01T00:00:00Z',
				actor,
				previous,
				data: ticket(after)
			} as unknown as Event
		],
		{ category: (key) => `Category ${key}` }
	);
}

describe('what happened to a ticket', () => {
	it.each([
		['ticket.created', {}, {}, 'opened this ticket'],
		[
			'ticket.updated',
			{ priority: 'normal' },
			{ priority: 'urgent' },
			'set the priority to Urgent'
		],
		[
			'ticket.updated',
			{ status: 'open' },
			{ status: 'in_progress' },
			'set the status to In progress'
		],
		['ticket.updated', { assignee: null }, { assignee: ANN }, 'took this ticket'],
		['ticket.updated', { assignee: ANN }, { assignee: { id: 'b', name: 'Bea' } }, 'assigned Bea'],
		['ticket.updated', { assignee: ANN }, { assignee: null }, 'removed the assignee'],
		['ticket.updated', { tags: [] }, { tags: ['hdr', 'x'] }, 'set the tags to hdr, x'],
		['ticket.updated', { tags: ['hdr'] }, { tags: [] }, 'removed the tags'],
		['ticket.updated', { category: null }, { category: 'tv' }, 'set the category to Category tv'],
		['ticket.updated', { severity: 'low' }, { severity: 'none' }, 'removed the severity'],
		['ticket.updated', { title: 'a' }, { title: 'b' }, 'edited the title'],
		[
			'ticket.updated',
			{ priority: 'low', tags: [] },
			{ priority: 'high', tags: ['x'] },
			'changed several things'
		],
		[
			'ticket.resolved',
			{ status: 'open', resolution: 'none' },
			{ status: 'resolved', resolution: 'wont_fix' },
			'resolved it: Won’t be done'
		],
		['ticket.closed', { status: 'resolved' }, { status: 'closed' }, 'closed this ticket'],
		[
			'ticket.closed',
			{ status: 'open', resolution: 'none' },
			{ status: 'closed', resolution: 'spam' },
			'closed it: Spam'
		],
		['ticket.reopened', { status: 'resolved' }, { status: 'open' }, 'opened it again']
	])('%s %o %o: %s', (type, previous, after, sentence) => {
		expect(told(type, previous as never, after as never)[0]?.sentence).toBe(sentence);
	});

	it('has the values from before', () => {
		expect(told('ticket.updated', { priority: 'low' }, { priority: 'high' })[0]?.changes).toEqual([
			{ field: 'priority', label: 'Priority', before: 'Low', after: 'High' }
		]);
	});

	it('does not repeat what its sentence says', () => {
		const [one] = told(
			'ticket.resolved',
			{ status: 'open', resolution: 'none', priority: 'low' },
			{ status: 'resolved', resolution: 'fixed', priority: 'high' }
		);
		expect(one?.changes.map(({ field }) => field)).toEqual(['priority']);
	});

	it('leaves out comments, and types that come later are not in the way', () => {
		expect(told('comment.created', {}, {})).toEqual([]);
		expect(told('ticket.merged', {}, {})).toHaveLength(1);
	});
});
