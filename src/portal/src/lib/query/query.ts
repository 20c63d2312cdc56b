import { clauses, quoted, written, type Clause } from './tokens.ts';

/** What a desk works on, and shows if its address says nothing else. */
export const OPEN = 'status:open,in_progress,pending';
export const SORTS = [
	'-created',
	'created',
	'-updated',
	'updated',
	'-priority',
	'priority'
] as const;
export type Sort = (typeof SORTS)[number];

/** What a query with text is sorted by, if it says nothing else: the best hits first. */
export const RELEVANCE = 'relevance';

/** The fields that menus offer. */
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

/** Words of closed fields, from the least to the most where they are ordered. */
export const WORDS: Readonly<Record<string, readonly string[]>> = {
	priority: ['low', 'normal', 'high', 'urgent'],
	severity: ['none', 'low', 'medium', 'high', 'critical']
};
const COMPARE = {
	'': (one: number, other: number) => one === other,
	'<': (one: number, other: number) => one < other,
	'<=': (one: number, other: number) => one <= other,
	'>': (one: number, other: number) => one > other,
	'>=': (one: number, other: number) => one >= other
} as const;
export const compared = (comparison: keyof typeof COMPARE, one: number, other: number): boolean =>
	COMPARE[comparison](one, other);

/** The query of an address: what it says, or what an address of before means, or what a desk works on. */
export function read(params: Pick<URLSearchParams, 'get' | 'has'>): string {
	return arranged(params.get('q') ?? translated(params) ?? OPEN);
}

/** The query as the search part of an address. */
export function address(query: string): string {
	const said = arranged(query);
	if (said === OPEN) return '';
	return `?q=${encodeURIComponent(said).replaceAll(/%(3A|2C|20)/g, (_, code) => ({ '3A': ':', '2C': ',' })[code as '3A'] ?? '+')}`;
}

/** A query as addresses have it: first what names fields, then the sort, and text last. */
export function arranged(query: string): string {
	const all = clauses(query);
	const place = ({ name, whole }: Clause) =>
		name === null || !whole ? 2 : name === 'sort' ? 1 : 0;
	return [0, 1, 2]
		.flatMap((wanted) => all.filter((each) => place(each) === wanted))
		.map(({ start, end }) => query.slice(start, end))
		.join(' ');
}

/** What an address meant that had a parameter for each filter; null if it has none. */
export function translated(params: Pick<URLSearchParams, 'get' | 'has'>): string | null {
	if (![...LISTS, 'title', 'escalated', 'sort'].some((name) => params.has(name))) return null;
	const values = (name: string) => (params.get(name) ?? '').split(',').filter(Boolean);
	let made = '';
	for (const name of LISTS) {
		const said = values(name);
		if (name !== 'status') made = choose(made, name, said);
		else if (said.length === 0) made = with_(made, OPEN);
		else if (!said.includes('any')) made = choose(made, name, said);
	}
	if (params.get('escalated') === 'true') made = with_(made, 'escalated:true');
	for (const word of (params.get('title') ?? '').split(/\s+/).filter(Boolean)) {
		const [first] = clauses(word);
		const plain = first?.whole && first.name === null && !first.negated;
		made = with_(made, plain ? word : quoted(word));
	}
	const sort = params.get('sort');
	return SORTS.includes(sort as Sort) ? sorted(made, sort as Sort) : made;
}

/** A query with one more clause. */
export function with_(query: string, clause: string): string {
	return `${query} ${clause}`.trim();
}

/** A query in which something stands for some of its clauses, or nothing does. */
export function replaced(query: string, dropped: readonly Clause[], by = ''): string {
	const starts = new Set(dropped.map(({ start }) => start));
	let place = by;
	const parts = clauses(query).map(({ start, end }) => {
		if (!starts.has(start)) return query.slice(start, end);
		const here = place;
		place = '';
		return here;
	});
	return [...parts, place].filter(Boolean).join(' ');
}

const ofField = (query: string, name: string) =>
	clauses(query).filter((each) => each.name === name && each.whole && !each.negated);

/** The values of a field that a query asks for, as far as a menu can show them. */
export function chosen(query: string, name: string): string[] {
	const words = WORDS[name];
	const found = ofField(query, name).flatMap(({ values }) =>
		values.flatMap(({ text, comparison }) => {
			const value = text.toLowerCase();
			return comparison && words
				? words.filter((_, at) => compared(comparison, at, words.indexOf(value)))
				: [words ? value : text];
		})
	);
	return [...new Set(found)];
}

/** A query with these values of a field in place of all that it asks for; a ticket has every one of several tags. */
export function choose(query: string, name: ListName, values: readonly string[]): string {
	const said = values.map(written);
	const clause =
		name === 'tag'
			? said.map((tag) => `tag:${tag}`).join(' ')
			: said.length > 0
				? `${name}:${said.join(',')}`
				: '';
	return replaced(query, ofField(query, name), clause);
}

/** What a query says to sort by. */
export function sortOf(query: string): string | null {
	return (
		clauses(query).find(({ name, whole }) => name === 'sort' && whole)?.values[0]?.text ?? null
	);
}

/** Whether a query looks for text. */
export function hasText(query: string): boolean {
	return clauses(query).some(({ name, negated }) => name === null && !negated);
}

/** A query with another sort; the one that lists have anyway is not said. */
export function sorted(query: string, sort: Sort | typeof RELEVANCE): string {
	const before = clauses(query).filter(({ name }) => name === 'sort');
	const usual = hasText(query) ? RELEVANCE : '-created';
	const said = sort === usual ? '' : `sort:${sort}`;
	return with_(replaced(query, before), said);
}

/** A query without some fields. */
export function without(query: string, ...names: string[]): string {
	return replaced(
		query,
		clauses(query).filter(({ name }) => name !== null && names.includes(name))
	);
}

/** Whether two queries ask for the same tickets, in whatever order their parts and values stand. */
export function same(one: string, other: string): boolean {
	return plain(one) === plain(other);
}

function plain(query: string): string {
	return clauses(query)
		.filter(({ name }) => name !== 'sort')
		.map(({ negated, name, values, text }) =>
			name === null
				? `${negated ? '-' : ''}${text.toLowerCase()}`
				: `${negated ? '-' : ''}${name}:${values
						.map((value) => value.comparison + value.text.toLowerCase())
						.sort()
						.join(',')}`
		)
		.sort()
		.join('\n');
}

/** Whether a query narrows what it finds. */
export function narrowed(query: string): boolean {
	return clauses(query).some(({ name }) => name !== 'sort') && !same(query, OPEN);
}
