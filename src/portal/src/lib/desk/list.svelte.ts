import type { Event, Schemas, Ticket } from '#lib/api/client.ts';
import { matches, order } from '#lib/query/matching.ts';
import { hasText, sortOf, with_ } from '#lib/query/query.ts';

type Match = Schemas['TicketMatch'];
type Page = { items: Ticket[]; next: string | null; matches?: Match[] };

/** How long what changes is collected before the service is asked about it: new text takes it a second to find. */
const ASK_MS = 400;
const TEXT_MS = 2000;
/** Most tickets of one question. */
const MOST_ASKED = 20;

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
	/** Where tickets have the text that is looked for, by their numbers. */
	matches = $state.raw<ReadonlyMap<number, readonly Match[]>>(new Map());
	#next = $state<string | null>(null);
	#known = new Map<number, Ticket>();
	/** Of which tickets only the service knows whether they belong here. */
	#asked = new Set<number>();
	#asking: ReturnType<typeof setTimeout> | undefined;
	#ended = new AbortController();

	constructor(
		readonly query: string,
		readonly me: string,
		/** Read the page of a query at a cursor, or the first one. */
		readonly read: (query: string, cursor: string | null, signal: AbortSignal) => Promise<Page>
	) {}

	get more(): boolean {
		return this.#next !== null;
	}

	/** What it is sorted by; null if the service decides. */
	get sort(): string | null {
		return sortOf(this.query) ?? (hasText(this.query) ? null : '-created');
	}

	/** Nobody looks at it any more. */
	end(): void {
		this.#ended.abort();
		clearTimeout(this.#asking);
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
			const page = await this.read(this.query, this.#next, this.#ended.signal);
			const added = page.items.filter(({ number }) => !this.#known.has(number));
			for (const ticket of added) this.#known.set(ticket.number, ticket);
			this.items = [...this.items, ...added];
			this.matches = new Map([...this.matches, ...byTicket(page)]);
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
			const page = await this.read(this.query, null, this.#ended.signal);
			this.#known = new Map(page.items.map((ticket) => [ticket.number, ticket]));
			this.items = page.items;
			this.matches = byTicket(page);
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
		const fits = matches(ticket, this.query, this.me);
		if (fits === null) {
			this.#ask(ticket.number);
			// What is shown stays until the service has said.
			if (before) this.#place(ticket, before);
		} else if (fits) this.#place(ticket, before);
		else this.remove(ticket.number);
	}

	#place(ticket: Ticket, before: Ticket | undefined): void {
		const compare = order(this.sort) ?? (() => (before ? 0 : -1));
		if (before && compare(before, ticket) === 0) {
			this.items = this.items.map((each) => (each.number === ticket.number ? ticket : each));
			this.#known.set(ticket.number, ticket);
			return;
		}
		if (before) this.remove(ticket.number);
		const items = [...this.items];
		let [low, high] = [0, items.length];
		while (low < high) {
			const middle = (low + high) >> 1;
			if (compare(ticket, items[middle]!) > 0) low = middle + 1;
			else high = middle;
		}
		// What comes after the last that was read is read when it is scrolled to.
		if (low === items.length && this.more) return;
		items.splice(low, 0, ticket);
		this.items = items;
		this.#known.set(ticket.number, ticket);
	}

	/** Ask the service about a ticket, soon, and together with others. */
	#ask(number: number): void {
		this.#asked.add(number);
		if (!this.#ended.signal.aborted) this.#asking ??= this.#later();
	}
	#later(): ReturnType<typeof setTimeout> {
		return setTimeout(() => void this.#answer(), hasText(this.query) ? TEXT_MS : ASK_MS);
	}
	async #answer(): Promise<void> {
		const asked = [...this.#asked].slice(0, MOST_ASKED);
		for (const number of asked) this.#asked.delete(number);
		try {
			const query = with_(this.query, `number:${asked.join(',')}`);
			const { items } = await this.read(query, null, this.#ended.signal);
			for (const number of asked.filter((each) => !this.#asked.has(each))) {
				const now = items.find((each) => each.number === number);
				const before = this.#known.get(number);
				if (!now) this.remove(number);
				else if (!before || before.updated_at <= now.updated_at) this.#place(now, before);
			}
		} catch {
			// It cannot be asked just now: what is shown stays.
		}
		const more = this.#asked.size > 0 && !this.#ended.signal.aborted;
		this.#asking = more ? this.#later() : undefined;
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
		else if (event.type.startsWith('ticket.')) this.put(event.data as Ticket);
		else if (event.type === 'comment.created') {
			const comment = event.data as { visibility: string; created_at: string };
			if (hasText(this.query)) this.#ask(number);
			const ticket = this.#known.get(number);
			if (ticket && comment.visibility === 'public')
				this.put({ ...ticket, updated_at: comment.created_at });
		}
	}
}

function byTicket({ matches = [] }: Page): Map<number, Match[]> {
	return Map.groupBy(matches, ({ ticket_number }) => ticket_number);
}
