import type { paths } from '#lib/api/schema.d.ts';
import type { Ticket } from '#lib/api/client.ts';

type Query = NonNullable<paths['/tickets']['get']['parameters']['query']>;

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
		text: address.get('q') ?? '',
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

/** What to ask the service for. */
export function query({ tab, type, project, text, everyone }: Filters): Query {
	return {
		...(TABS[tab] && { status: [...TABS[tab]] }),
		...(type && { type: [type] }),
		...(project && { project: [project] }),
		...(text.trim() && { title: text.trim().replace(/^#(?=\d+$)/, '') }),
		...(!everyone && { requester: ['me'] }),
		sort: '-updated'
	};
}
