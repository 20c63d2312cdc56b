import { describe, expect, it, vi } from 'vitest';
import type { Event, Ticket } from '#lib/api/client.ts';
import { TicketList } from './list.svelte';
import { ticket } from './tickets.fixture';

const ME = 'me-1';
const day = (number: number) => `2026-11-${String(number).padStart(2, '0')}T00:00:00.000Z`;
const opened = (number: number, fields: Partial<Ticket> = {}) =>
	ticket({ number, created_at: day(number), updated_at: day(number), ...fields });

/** A list of tickets 9 to 1, three a page, as the service would read it. */
function listed(query = ''): TicketList {
	const all = [9, 8, 7, 6, 5, 4, 3, 2, 1].map((number) => opened(number));
	return new TicketList(query, ME, async (_, cursor) => {
		const start = Number(cursor ?? 0);
		const next = start + 3;
		return { items: all.slice(start, next), next: next < all.length ? String(next) : null };
	});
}
const numbers = (list: TicketList) => list.items.map(({ number }) => number);
const event = (type: string, data: unknown, number = 8): Event =>
	({
		type,
		ticket_number: number,
		data,
		tombstone: false,
		previous: {},
		id: '',
		actor: null
	}) as unknown as Event;

describe('a list of tickets', () => {
	it('is read page by page, and each ticket is there once', async () => {
		const list = listed();
		await Promise.all([list.load(), list.load()]);
		expect(numbers(list)).toEqual([9, 8, 7]);
		expect(list.more).toBe(true);
		await list.load();
		await list.load();
		expect(numbers(list)).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1]);
		expect(list.more).toBe(false);
		await list.load();
		expect(list.items).toHaveLength(9);
	});

	it('puts a new ticket in its place', async () => {
		const list = listed();
		await list.load();
		list.heard(event('ticket.created', opened(10), 10));
		expect(numbers(list)).toEqual([10, 9, 8, 7]);
	});

	it('leaves what belongs after the last page to the page it is on', async () => {
		const list = listed();
		await list.load();
		list.put(opened(2));
		expect(numbers(list)).toEqual([9, 8, 7]);
		await list.load();
		await list.load();
		expect(numbers(list)).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1]);
	});

	it('takes out what matches no more, and takes it back when that is undone', async () => {
		const list = listed('assignee:none');
		await list.load();
		const before = list.get(8)!;
		list.put({ ...before, assignee: { id: ME, name: 'I' } });
		expect(numbers(list)).toEqual([9, 7]);
		list.put(before);
		expect(numbers(list)).toEqual([9, 8, 7]);
	});

	it('moves what was changed to where it is sorted', async () => {
		const list = listed('sort:-updated');
		await list.load();
		list.heard(event('ticket.updated', opened(7, { updated_at: day(20), created_at: day(7) }), 7));
		expect(numbers(list)).toEqual([7, 9, 8]);
		list.heard(event('comment.created', { visibility: 'public', created_at: day(21) }));
		expect(numbers(list)).toEqual([8, 7, 9]);
		list.heard(event('comment.created', { visibility: 'internal', created_at: day(22) }, 9));
		expect(numbers(list)).toEqual([8, 7, 9]);
	});

	it('keeps the newer of two states, whatever order they come in', async () => {
		const list = listed();
		await list.load();
		list.put(opened(8, { title: 'newer', updated_at: day(25) }));
		list.put(opened(8, { title: 'older', updated_at: day(24) }));
		expect(list.get(8)?.title).toBe('newer');
	});

	it('asks the service about what a ticket does not say, once for several', async () => {
		vi.useFakeTimers();
		const asked: string[] = [];
		const there = [opened(9), opened(8)];
		let now = there;
		const list = new TicketList('escalated:true', ME, async (query) => {
			asked.push(query);
			return { items: now, next: null };
		});
		await list.load();
		now = [opened(10), opened(8)];
		list.heard(event('ticket.created', opened(10), 10));
		list.heard(event('ticket.updated', opened(9, { updated_at: day(11) }), 9));
		expect(numbers(list)).toEqual([9, 8]);
		await vi.runAllTimersAsync();
		expect(asked).toEqual(['escalated:true', 'escalated:true number:10,9']);
		expect(numbers(list)).toEqual([10, 8]);
		vi.useRealTimers();
	});

	it('of text asks also about comments, and puts what is found first', async () => {
		vi.useFakeTimers();
		let found = [opened(5), opened(9)];
		const list = new TicketList('hum', ME, async () => ({ items: found, next: null }));
		await list.load();
		expect(numbers(list)).toEqual([5, 9]);
		found = [opened(7)];
		list.heard(event('comment.created', { visibility: 'public', created_at: day(21) }, 7));
		await vi.runAllTimersAsync();
		expect(numbers(list)).toEqual([7, 5, 9]);
		vi.useRealTimers();
	});

	it('that nobody looks at any more asks nothing, and stops what it reads', async () => {
		let stopped: AbortSignal | undefined;
		const list = new TicketList('hum', ME, async (_, __, signal) => {
			stopped = signal;
			return { items: [], next: null };
		});
		await list.load();
		list.end();
		expect(stopped?.aborted).toBe(true);
	});

	it('drops what one may no longer see', async () => {
		const list = listed();
		await list.load();
		list.heard({ ...event('ticket.deleted', null), tombstone: true } as Event);
		expect(numbers(list)).toEqual([9, 7]);
	});

	it('says what went wrong, and goes on from there', async () => {
		let fails = true;
		const list = new TicketList('', ME, async () => {
			if (fails) throw new Error('no network');
			return { items: [opened(1)], next: null };
		});
		await list.load();
		expect(list.ready).toBe(false);
		expect(list.error).toBeInstanceOf(Error);
		fails = false;
		await list.load();
		expect(list.error).toBeNull();
		expect(numbers(list)).toEqual([1]);
	});

	it('knows where the text that is looked for was found', async () => {
		const match = {
			ticket_number: 2,
			field: 'title',
			text: 'A hum',
			marks: [{ offset: 2, length: 3 }]
		} as const;
		const found = [opened(1), opened(2)];
		const list = new TicketList('hum', ME, async () => ({
			items: found,
			next: null,
			matches: [{ ...match, marks: [...match.marks] }]
		}));
		await list.load();
		expect(list.matches.get(2)).toEqual([match]);
		expect(list.matches.get(1)).toBeUndefined();
	});
});
