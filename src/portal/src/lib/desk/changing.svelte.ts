import type { QueryClient } from '@tanstack/svelte-query';
import { api, got, onceKey, type Event, type Ticket, type User } from '#lib/api/client.ts';
import { ApiError } from '#lib/api/problem.ts';
import type { components } from '#lib/api/schema.d.ts';
import { toasts } from '#lib/state/toasts.svelte.ts';
import { shell } from '#lib/texts/shell/index.ts';
import { desk } from '#lib/texts/desk/index.ts';
import { asking } from './asking.svelte';
import type { TicketList } from './list.svelte';

export type TicketPatch = components['schemas']['TicketPatch'];
/** What may be set for many at once. */
export type ManyPatch = components['schemas']['TicketChangePatch'];

/** A ticket as it will be once the service has taken the patch. */
export function applied(ticket: Ticket, patch: TicketPatch | ManyPatch): Ticket {
	const {
		add_tags: add = [],
		remove_tags: remove = [],
		...fields
	} = patch as TicketPatch & ManyPatch;
	const after = { ...ticket, ...(fields as Partial<Ticket>) };
	after.tags = [...new Set([...after.tags, ...add])].filter((tag) => !remove.includes(tag));
	if (fields.status && !['resolved', 'closed'].includes(fields.status)) after.resolution = 'none';
	return after;
}

/** What gives a ticket back what a patch took from it; null if nothing does, because closing is final. */
export function reversal(before: Ticket, patch: TicketPatch | ManyPatch): TicketPatch | null {
	if (patch.status === 'closed') return null;
	const ended = before.status === 'resolved';
	const back: Record<string, unknown> = {};
	for (const field of Object.keys(patch)) {
		if (field === 'add_tags' || field === 'remove_tags') back.tags = before.tags;
		else if (field === 'assignee') back.assignee = before.assignee && { id: before.assignee.id };
		else if (!field.startsWith('resolution') || ended) back[field] = before[field as keyof Ticket];
	}
	if (patch.status && ended) {
		back.resolution = before.resolution;
		back.resolution_note = before.resolution_note;
	}
	return back as TicketPatch;
}

/** The fields of a patch that somebody else has changed meanwhile to something else than what it wants. */
export function contested(base: Ticket, theirs: Ticket, patch: TicketPatch): (keyof TicketPatch)[] {
	const told = (value: unknown) => JSON.stringify(value ?? null);
	return (Object.keys(patch) as (keyof TicketPatch)[]).filter((field) => {
		const now = told(plain(theirs, field));
		return now !== told(plain(base, field)) && now !== told(plain(patch as Ticket, field));
	});
}

function plain(ticket: Ticket, field: keyof TicketPatch): unknown {
	return field === 'assignee' ? (ticket.assignee?.id ?? null) : ticket[field as keyof Ticket];
}

/** Changes of tickets: seen at once, and taken back with the reason if the service refuses them. */
export class Changing {
	/** The lists that are on the screen. */
	readonly lists = new Set<TicketList>();

	constructor(
		readonly client: QueryClient,
		readonly staff: () => readonly User[]
	) {}

	/** Show a ticket as it is, wherever it is on the screen. */
	show(ticket: Ticket): void {
		for (const list of this.lists) list.put(ticket);
		this.client.setQueryData<Ticket>(
			['ticket', ticket.number],
			(before) => before && { ...before, ...ticket, ...rendered(before, ticket) }
		);
	}

	/** The stream has told of something. */
	heard(event: Event): void {
		for (const list of this.lists) list.heard(event);
	}

	/** Change one ticket as it was seen; gives what it is now, or null if it stays as it was. */
	async one(seen: Ticket, patch: TicketPatch): Promise<Ticket | null> {
		let base = seen;
		for (;;) {
			this.show(applied(base, patch));
			try {
				const { data } = await api.PATCH('/tickets/{number}', {
					params: {
						path: { number: base.number },
						header: { 'If-Match': `"${base.version}"` }
					},
					body: patch
				});
				this.show(data as Ticket);
				void this.client.invalidateQueries({ queryKey: ['ticket', base.number] });
				return data as Ticket;
			} catch (error) {
				this.show(base);
				if (!(error instanceof ApiError) || error.status !== 412) {
					toasts.failed(desk.t.notSaved(base.number, message(error)));
					return null;
				}
				const decided = await this.#decide(base, patch);
				if (!decided) return null;
				({ base, patch } = decided);
			}
		}
	}

	/** For the message about a change: the way back, if there is one. */
	undoing(
		changed: readonly { before: Ticket; version: string }[],
		patch: TicketPatch | ManyPatch
	): { label: string; run: () => void } | undefined {
		if (changed.length === 0 || reversal(changed[0]!.before, patch) === null) return undefined;
		return { label: shell.t.undo, run: () => void this.#undo(changed, patch) };
	}

	/** Give each ticket back what it was, unless somebody has changed it since. */
	async #undo(
		changed: readonly { before: Ticket; version: string }[],
		patch: TicketPatch | ManyPatch
	): Promise<void> {
		const left: number[] = [];
		let why = '';
		for (const { before, version } of changed) {
			const { number } = before;
			try {
				const { data } = await api.PATCH('/tickets/{number}', {
					params: { path: { number }, header: { 'If-Match': `"${version}"` } },
					body: reversal(before, patch)!
				});
				this.show(data as Ticket);
				void this.client.invalidateQueries({ queryKey: ['ticket', number] });
			} catch (error) {
				left.push(number);
				const stale = error instanceof ApiError && error.status === 412;
				why ||= stale ? desk.t.conflict : message(error);
			}
		}
		if (left.length === 0) toasts.done(desk.t.undone(changed.length));
		else toasts.failed(desk.t.notUndone(left.map((number) => `#${number}`).join(', '), why));
	}

	/** Somebody else was first: where both have changed the same, ask. */
	async #decide(
		base: Ticket,
		patch: TicketPatch
	): Promise<{ base: Ticket; patch: TicketPatch } | null> {
		try {
			const path = { number: base.number };
			const theirs = got(await api.GET('/tickets/{number}', { params: { path } })) as Ticket;
			this.show(theirs);
			if (contested(base, theirs, patch).length === 0) return { base: theirs, patch };
			// Not through the cache: the event of their change would cancel it, and with it the question.
			const events = await last(base.number);
			const wanted = await asking.ask('conflict', {
				base,
				theirs,
				patch,
				by: events.findLast((each) => each.type.startsWith('ticket.'))?.actor ?? null,
				staff: this.staff()
			});
			return wanted && Object.keys(wanted).length > 0 ? { base: theirs, patch: wanted } : null;
		} catch (error) {
			toasts.failed(desk.t.notSaved(base.number, message(error)));
			return null;
		}
	}

	/** Change many, each on its own; tells which were refused and why. */
	async many(seen: readonly Ticket[], patch: ManyPatch): Promise<void> {
		for (const ticket of seen) this.show(applied(ticket, patch));
		try {
			const { items } = got(
				await api.POST('/ticket-changes', {
					params: { header: onceKey() },
					body: { numbers: seen.map(({ number }) => number), patch }
				})
			);
			const refused = items.filter(({ outcome }) => outcome === 'refused');
			for (const { number, outcome, version } of items) {
				const before = seen.find((each) => each.number === number)!;
				const after = outcome === 'changed' ? applied(before, patch) : before;
				this.show(version === null ? before : { ...after, version });
				void this.client.invalidateQueries({ queryKey: ['ticket', number] });
			}
			const count = (outcome: string) => items.filter((each) => each.outcome === outcome).length;
			if (refused.length === 0) {
				const changed = items.flatMap(({ number, outcome, version }) => {
					const before = seen.find((each) => each.number === number)!;
					return outcome === 'changed' && version !== null ? { before, version } : [];
				});
				toasts.done(desk.t.changed(changed.length), this.undoing(changed, patch));
			} else
				void asking.ask('outcome', {
					changed: count('changed'),
					unchanged: count('unchanged'),
					refused: refused.map(({ number, problem }) => ({
						number,
						title: seen.find((each) => each.number === number)?.title ?? '',
						reason: problem?.detail ?? ''
					}))
				});
		} catch (error) {
			for (const ticket of seen) this.show(ticket);
			toasts.failed(desk.t.noneSaved(message(error)));
		}
	}
}

/** What was rendered stays until it is rendered anew. */
function rendered(before: Ticket, after: Ticket): Partial<Ticket> {
	return before.description === after.description && 'description_html' in before
		? ({ description_html: before.description_html } as Partial<Ticket>)
		: {};
}

/** The events on the last page of a ticket's timeline. */
async function last(number: number): Promise<Event[]> {
	let cursor: string | undefined;
	for (;;) {
		const page = got(
			await api.GET('/tickets/{number}/events', {
				params: { path: { number }, query: { limit: 100, cursor } }
			})
		);
		if (page.next === null) return page.items as Event[];
		cursor = page.next;
	}
}

export function message(error: unknown): string {
	return error instanceof Error && error.message ? error.message : desk.t.unreachable;
}
