import type { paths } from '#lib/api/schema.d.ts';
import type { Ticket } from '#lib/api/client.ts';
import { titled, typed } from '#lib/query/typed.ts';

export type Query = NonNullable<paths['/tickets']['get']['parameters']['query']>;

/** The tabs, and the statuses on each; what waits for the reader stands above what is open. */
export const TABS = {
	open: ['open', 'in_progress'],
	waiting: ['pending'],
	resolved: ['resolved'],
	closed: ['closed'],
	all: undefined
} as const satisfies Record<string, readonly Ticket['status'][] | undefined>;
export type Tab = keyof typeof TABS;

const TYPES: readonly Ticket['type'][] = ['bug', 'feature_request', 'support'];

/** What the address says of the list. */
export type Filters = {
	tab: Tab;
	type: Ticket['type'] | '';
	project: string;
	text: string;
	everyone: boolean;
};

export function filters(address: Pick<URLSearchParams, 'get'>): Filters {
	const tab = address.get('status') ?? '';
	return {
		tab: Object.hasOwn(TABS, tab) ? (tab as Tab) : 'open',
		type: TYPES.find((type) => type === address.get('type')) ?? '',
		project: address.get('project') ?? '',
		// An address of before has words of a title.
		text: address.get('q') ?? address.get('title') ?? '',
		everyone: address.get('whose') === 'all'
	};
}

/** The same as an address; what is as always is left out. */
export function address({ tab, type, project, text, everyone }: Filters): string {
	const said = new URLSearchParams();
	if (tab !== 'open') said.set('status', tab);
	if (type) said.set('type', type);
	if (project) said.set('project', project);
	if (text) said.set('q', text);
	if (everyone) said.set('whose', 'all');
	return said.size > 0 ? `?${said}` : '';
}

function narrowed({ tab, type, project, everyone }: Filters): Query {
	return {
		...(TABS[tab] && { status: [...TABS[tab]] }),
		...(type && { type: [type] }),
		...(project && { project: [project] }),
		...(!everyone && { requester: ['me'] })
	};
}

/** What to ask the service for: what changed last comes first, or what has the text best. */
export function query(filters: Filters): Query {
	const q = typed(filters.text);
	return {
		...narrowed(filters),
		...(q ? { q, include: ['matches'] } : { sort: '-updated' })
	};
}

/**
 * What to ask for besides if there is a text: a ticket is found by its words once a worker has read it, but by its title
 * at once.
 */
export function recent(filters: Filters): Query | null {
	const titles = titled(filters.text);
	return titles
		? { ...narrowed(filters), q: `${titles} updated:-1h`, sort: '-updated', limit: 5 }
		: null;
}
