import type { Event, Ticket } from '#lib/api/client.ts';
import { matches, order, written, type Filters } from './filters';

type Page = { items: Ticket[]; next: string | null };

/**
 * A list of tickets that grows as one scrolls, and stays true meanwhile: whatever happens to a ticket, by one's own hand
 * or by an event, puts it where it belongs, or takes it out. So ten thousand rows are never read again.
 */
export class TicketList {
	items = $state.raw<Ticket[]>([]);
	loading = $state(false);
	/** Something was read, be it nothing. */
	ready = $state(false);
	error = $state.raw<unknown>(null);
	#next = $state<string | null>(null);
	#known = new Map<number, Ticket>();
	/** What was ever in it. */
	#seen = new Set<number>();

	constructor(
		readonly filters: Filters,
		readonly me: string,
		/** Read the page at a cursor, or the first one. */
		readonly read: (filters: Filters, cursor: string | null) => Promise<Page>
	) {}

	get more(): boolean {
		return this.#next !== null;
	}

	get key(): string {
		return written(this.filters);
	}

	get(number: number): Ticket | undefined {
		return this.#known.get(number);
	}

	/** Read the next page, or the first; does nothing while one is being read. */
	async load(): Promise<void> {
		if (this.loading || (this.ready && !this.more && !this.error)) return;
		this.loading = true;
		this.error = null;
		try {
			const page = await this.read(this.filters, this.#next);
			const added = page.items.filter(({ number }) => !this.#known.has(number));
			for (const ticket of added) {
				this.#known.set(ticket.number, ticket);
				this.#seen.add(ticket.number);
			}
			this.items = [...this.items, ...added];
			this.#next = page.next;
			this.ready = true;
		} catch (error) {
			this.error = error;
		} finally {
			this.loading = false;
		}
	}

	/** Begin anew, such as when changes may have been missed. What is shown stays until the first page is there. */
	async again(): Promise<void> {
		try {
			const page = await this.read(this.filters, null);
			this.#known = new Map(page.items.map((ticket) => [ticket.number, ticket]));
			this.items = page.items;
			this.#next = page.next;
			this.error = null;
		} catch (error) {
			this.error = error;
		}
	}

	/** Show a ticket as it is now: where it belongs, or not at all. */
	put(ticket: Ticket): void {
		const before = this.#known.get(ticket.number);
		if (before && before.updated_at > ticket.updated_at) return;
		const compare = order(this.filters.sort);
		const fits =
			matches(ticket, this.filters, this.me) ||
			// The service may find words that a plain comparison does not, such as without accents.
			(!!before &&
				before.title === ticket.title &&
				matches(ticket, { ...this.filters, title: '' }, this.me));
		if (before && fits && compare(before, ticket) === 0) {
			this.items = this.items.map((each) => (each.number === ticket.number ? ticket : each));
			this.#known.set(ticket.number, ticket);
			return;
		}
		if (before) this.remove(ticket.number);
		// A ticket does not say that it was escalated; the service and the event do.
		if (!fits || (this.filters.escalated && !this.#seen.has(ticket.number))) return;
		const items = [...this.items];
		let [low, high] = [0, items.length];
		while (low < high) {
			const middle = (low + high) >> 1;
			if (compare(items[middle]!, ticket) < 0) low = middle + 1;
			else high = middle;
		}
		// What comes after the last that was read is read when it is scrolled to.
		if (low === items.length && this.more) return;
		items.splice(low, 0, ticket);
		this.items = items;
		this.#known.set(ticket.number, ticket);
	}

	remove(number: number): void {
		if (!this.#known.delete(number)) return;
		this.items = this.items.filter((ticket) => ticket.number !== number);
	}

	/** Take what somebody did, as the event stream tells it. */
	heard(event: Event): void {
		const number = event.ticket_number;
		if (number === null || !this.ready) return;
		if (event.tombstone || event.type === 'ticket.deleted') this.remove(number);
		else if (event.type.startsWith('ticket.')) {
			if (event.type === 'ticket.escalated') this.#seen.add(number);
			this.put(event.data as Ticket);
		} else if (event.type === 'comment.created') {
			const comment = event.data as { visibility: string; created_at: string };
			const ticket = this.#known.get(number);
			if (ticket && comment.visibility === 'public')
				this.put({ ...ticket, updated_at: comment.created_at });
		}
	}
}
