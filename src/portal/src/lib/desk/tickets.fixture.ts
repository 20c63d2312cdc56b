import type { Ticket } from '#lib/api/client.ts';

/** A ticket for tests of what works with tickets. */
export function ticket(fields: Partial<Ticket> = {}): Ticket {
	const number = fields.number ?? 1042;
	return {
		id: `00000000-0000-0000-0000-${String(number).padStart(12, '0')}`,
		number,
		html_url: `http://127.0.0.1:8080/support/tickets/${number}`,
		type: 'bug',
		project: 'media-server',
		title: 'Films stutter',
		description: 'After a quarter of an hour.',
		status: 'open',
		resolution: 'none',
		resolution_note: null,
		priority: 'normal',
		severity: 'medium',
		category: null,
		tags: [],
		environment: {},
		channel: 'portal',
		requester: { id: 'r-1', name: 'Rosa' },
		assignee: null,
		external_reference: null,
		created_at: '2026-11-01T00:00:00.000Z',
		updated_at: '2026-11-01T00:00:00.000Z',
		resolved_at: null,
		closed_at: null,
		version: 'a.b',
		...fields
	};
}
