import type { Event, Ticket } from '#lib/api/client.ts';
import { timeline } from '#lib/texts/timeline/index.ts';
import { word, words } from '#lib/texts/words/index.ts';

/** One field that an event changed, in words; null is nothing. */
export type Change = { field: string; label: string; before: string | null; after: string | null };

/** What happened to a ticket, besides comments. */
export type Happening = {
	id: string;
	at: string;
	/** Null if the service did it. */
	actor: { id: string; name: string } | null;
	kind: 'created' | 'changed' | 'resolved' | 'reopened' | 'closed' | 'escalated';
	/** What they did, to stand after their name. */
	sentence: string;
	changes: Change[];
};

export type Names = {
	/** The name of a category, by its key. */
	category?: (key: string) => string;
};

/** Fields whose values are too long to be quoted in a sentence. */
const TEXTS = new Set(['title', 'description', 'resolution_note', 'environment']);
/** What `resolved` and the like say already. */
const SAID = new Set(['status', 'resolution', 'resolved_at', 'closed_at']);
const UNSAID = new Set(['updated_at', 'version', 'resolved_at', 'closed_at']);

/** The value of a ticket's field as people read it; null if it is empty. */
export function told(field: string, value: unknown, names: Names = {}): string | null {
	if (value === null || value === undefined || value === '') return null;
	if (field === 'assignee') return (value as { name: string }).name;
	if (Array.isArray(value)) return value.length ? value.join(', ') : null;
	if (field === 'environment')
		return (
			Object.entries(value as Record<string, string>)
				.map(([name, fact]) => `${name}: ${fact}`)
				.join('\n') || null
		);
	if (field === 'category') return names.category?.(value as string) ?? (value as string);
	if (field === 'severity' && value === 'none') return null;
	if (field === 'resolution' && value === 'none') return null;
	const table = { ...words.t }[field as 'status'] as Record<string, string> | undefined;
	return typeof table === 'object' ? word(table, String(value)) : String(value);
}

/** The timeline of a ticket in words, as its events are ordered; those of comments stand in the thread. */
export function happenings(events: readonly Event[], names: Names = {}): Happening[] {
	return events.flatMap((event) => happening(event, names) ?? []);
}

function happening(event: Event, names: Names): Happening | null {
	if (!event.type.startsWith('ticket.') || event.type === 'ticket.deleted') return null;
	const kind = event.type.slice('ticket.'.length);
	const ticket = event.data as Ticket | null;
	if (!ticket) return null;
	const changes = Object.entries(event.previous)
		.filter(([field]) => !UNSAID.has(field))
		.map(([field, before]) => ({
			field,
			label: word(words.t.field, field),
			before: told(field, before, names),
			after: told(field, ticket[field as keyof Ticket], names)
		}));
	return {
		id: event.id,
		at: event.timestamp,
		actor: event.actor,
		kind: kind === 'updated' ? 'changed' : (kind as Happening['kind']),
		sentence: sentence(kind, ticket, changes, event.actor),
		changes: kind === 'updated' ? changes : changes.filter(({ field }) => !SAID.has(field))
	};
}

function sentence(kind: string, ticket: Ticket, changes: Change[], actor: Event['actor']): string {
	const t = timeline.t;
	const resolution = told('resolution', ticket.resolution);
	if (kind === 'created') return t.created;
	if (kind === 'escalated') return t.escalated;
	if (kind === 'reopened') return t.reopened;
	if (kind === 'resolved') return t.resolved(resolution ?? t.nothing);
	if (kind === 'closed')
		return changes.some(({ field }) => field === 'resolution') && resolution
			? t.closedAs(resolution)
			: t.closed;
	if (changes.length !== 1) return t.several;
	const { field, label, after } = changes[0]!;
	if (field === 'assignee')
		return after === null
			? t.unassigned
			: ticket.assignee?.id === actor?.id
				? t.assignedSelf
				: t.assigned(after);
	if (TEXTS.has(field)) return t.text(label);
	return after === null ? t.cleared(label) : t.set(label, after);
}
