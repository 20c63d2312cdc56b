import type { Ticket } from '#lib/api/client.ts';
import { compared, WORDS } from './query.ts';
import { clauses, type Clause, type Value } from './tokens.ts';

/**
 * Whether a ticket matches a query, as far as the ticket says; `me` is the id of whoever looks. Null: the service knows,
 * such as where texts are searched, or days begin.
 */
export function matches(ticket: Ticket, query: string, me: string): boolean | null {
	let known = true;
	for (const clause of clauses(query)) {
		if (clause.name === 'sort') continue;
		const found = clause.whole ? fits(ticket, clause, me) : null;
		if (found === null) known = false;
		else if (found === clause.negated) return false;
	}
	return known || null;
}

function fits(ticket: Ticket, { name, values }: Clause, me: string): boolean | null {
	const found = values.map((value) => one(ticket, name, value, me));
	return found.includes(true) ? true : found.includes(null) || found.length === 0 ? null : false;
}

function one(ticket: Ticket, name: string | null, value: Value, me: string): boolean | null {
	const text = value.text.toLowerCase();
	const none = text === 'none' && !value.quoted;
	switch (name) {
		case 'type':
		case 'status':
		case 'resolution':
		case 'channel':
		case 'project':
			return value.comparison ? null : ticket[name] === text;
		case 'priority':
		case 'severity': {
			const words = WORDS[name]!;
			const place = words.indexOf(text);
			return place < 0 ? null : compared(value.comparison, words.indexOf(ticket[name]), place);
		}
		case 'category':
			return none ? ticket.category === null : ticket.category === text;
		case 'tag':
			return none ? ticket.tags.length === 0 : ticket.tags.includes(text);
		case 'assignee':
		case 'requester': {
			const person = ticket[name];
			if (none) return person === null;
			if (person === null) return false;
			if (text === 'me' && !value.quoted) return person.id === me;
			if (UUID.test(text)) return person.id === text;
			return person.name.toLowerCase() === text || null;
		}
		case 'number':
			return /^\d{1,15}$/.test(text)
				? compared(value.comparison, ticket.number, Number(text))
				: null;
		default:
			return null;
	}
}
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/** The order of a list: negative if the first comes before the second. Ties go by number. Null: the service knows. */
export function order(sort: string | null): ((one: Ticket, other: Ticket) => number) | null {
	const value = VALUES[sort?.replace('-', '') ?? ''];
	if (!value) return null;
	const sign = sort?.startsWith('-') ? -1 : 1;
	return (one, other) => {
		const [a, b] = [value(one), value(other)];
		return sign * (a < b ? -1 : a > b ? 1 : one.number - other.number);
	};
}
const VALUES: Record<string, (ticket: Ticket) => number | string> = {
	created: (ticket) => ticket.created_at,
	updated: (ticket) => ticket.updated_at,
	priority: (ticket) => WORDS.priority!.indexOf(ticket.priority)
};
