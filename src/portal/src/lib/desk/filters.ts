import type { Ticket } from '#lib/api/client.ts';
import type { paths } from '#lib/api/schema.d.ts';

type Query = NonNullable<paths['/tickets']['get']['parameters']['query']>;

/** The filters that take several values, named as in the contract. */
export const LISTS = [
	'project',
	'type',
	'status',
	'priority',
	'severity',
	'category',
	'assignee',
	'requester',
	'tag'
] as const;
export type ListName = (typeof LISTS)[number];
export const SORTS = [
	'-created',
	'created',
	'-updated',
	'updated',
	'-priority',
	'priority'
] as const satisfies readonly NonNullable<Query['sort']>[];
export type Sort = (typeof SORTS)[number];

export type Filters = Record<ListName, string[]> & {
	title: string;
	/** Only critical tickets that have waited too long for an answer. */
	escalated: boolean;
	sort: Sort;
};

/** What a desk works on. An address without a status means these; `status=any` means all. */
export const UNFINISHED: Ticket['status'][] = ['open', 'in_progress', 'pending'];
const ANY = 'any';
const PRIORITIES: Ticket['priority'][] = ['low', 'normal', 'high', 'urgent'];

/** The filters in an address. */
export function read(params: Pick<URLSearchParams, 'get'>): Filters {
	const values = (name: string) => (params.get(name) ?? '').split(',').filter(Boolean);
	const lists = Object.fromEntries(LISTS.map((name) => [name, values(name)])) as Record<
		ListName,
		string[]
	>;
	if (lists.status.length === 0) lists.status = [...UNFINISHED];
	else if (lists.status.includes(ANY)) lists.status = [];
	const sort = params.get('sort') as Sort;
	return {
		...lists,
		title: params.get('title') ?? '',
		escalated: params.get('escalated') === 'true',
		sort: SORTS.includes(sort) ? sort : '-created'
	};
}

/** The same as the search part of an address: two that mean the same are the same text. */
export function written(filters: Partial<Filters>): string {
	const params = new URLSearchParams();
	for (const name of LISTS) {
		const values = filters[name];
		if (!values) continue;
		if (name === 'status') {
			if (values.length === 0) params.set(name, ANY);
			else if (!same(values, UNFINISHED)) params.set(name, [...values].sort().join(','));
		} else if (values.length > 0) params.set(name, [...values].sort().join(','));
	}
	if (filters.title) params.set('title', filters.title);
	if (filters.escalated) params.set('escalated', 'true');
	if (filters.sort && filters.sort !== '-created') params.set('sort', filters.sort);
	const text = params.toString().replaceAll('%2C', ',');
	return text && `?${text}`;
}

function same(one: readonly string[], other: readonly string[]): boolean {
	return one.length === other.length && one.every((value) => other.includes(value));
}

/** The parameters of `list_tickets`. */
export function query(filters: Filters): Query {
	const lists = LISTS.flatMap((name) => (filters[name].length ? [[name, filters[name]]] : []));
	return {
		...(Object.fromEntries(lists) as Query),
		...(filters.title.trim() && { title: filters.title.trim() }),
		...(filters.escalated && { escalated: true }),
		sort: filters.sort
	};
}

/** How many filters somebody has set beyond what the desk always shows. */
export function narrowed(filters: Filters): boolean {
	return (
		filters.title !== '' ||
		filters.escalated ||
		LISTS.some((name) =>
			name === 'status'
				? filters.status.length > 0 && !same(filters.status, UNFINISHED)
				: filters[name].length > 0
		)
	);
}

/**
 * Whether a ticket belongs to a list with these filters; `me` is the id of whoever looks. Whether it was escalated, it
 * does not say itself: see TicketList.
 */
export function matches(ticket: Ticket, filters: Filters, me: string): boolean {
	const one = (name: ListName, value: string | null) =>
		filters[name].length === 0 || filters[name].includes(value ?? 'none');
	const person = (name: 'assignee' | 'requester', id: string | null) =>
		one(name, id) || (id === me && filters[name].includes('me'));
	return (
		one('project', ticket.project) &&
		one('type', ticket.type) &&
		one('status', ticket.status) &&
		one('priority', ticket.priority) &&
		one('severity', ticket.severity) &&
		one('category', ticket.category) &&
		person('assignee', ticket.assignee?.id ?? null) &&
		person('requester', ticket.requester.id) &&
		filters.tag.every((tag) => ticket.tags.includes(tag)) &&
		titled(ticket, filters.title)
	);
}

function titled(ticket: Ticket, words: string): boolean {
	const text = words.trim().toLowerCase();
	if (/^#?\d+$/.test(text) && Number(text.replace('#', '')) === ticket.number) return true;
	const title = parts(ticket.title.toLowerCase());
	return parts(text).every((start) => title.some((word) => word.startsWith(start)));
}

function parts(text: string): string[] {
	return text.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
}

/** The order of a list: negative if the first comes before the second. Ties go by number, in the same direction. */
export function order(sort: Sort): (one: Ticket, other: Ticket) => number {
	const sign = sort.startsWith('-') ? -1 : 1;
	const field = sort.replace('-', '');
	const value = (ticket: Ticket): number | string =>
		field === 'priority'
			? PRIORITIES.indexOf(ticket.priority)
			: field === 'updated'
				? ticket.updated_at
				: ticket.created_at;
	return (one, other) => {
		const [a, b] = [value(one), value(other)];
		return sign * (a < b ? -1 : a > b ? 1 : one.number - other.number);
	};
}
