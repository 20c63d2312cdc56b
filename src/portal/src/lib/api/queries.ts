import { queryOptions, type QueryClient } from '@tanstack/svelte-query';
import { api, got, type Comment, type Event } from './client.ts';
import { piecemeal } from './piecemeal.ts';

/** What several pages read, each with the key by which `live.svelte.ts` makes it stale. */

const PAGE = 100;
/** A list that is shown whole ends here: 2,000 entries. */
const MOST_PAGES = 20;
/** Projects and categories change rarely, and a change is heard of. */
const RARELY_MS = 300_000;

async function whole<T>(
	page: (cursor?: string) => Promise<{ items: T[]; next: string | null }>
): Promise<T[]> {
	const items: T[] = [];
	let cursor: string | undefined;
	for (let read = 0; read < MOST_PAGES; read++) {
		const answer = await page(cursor);
		items.push(...answer.items);
		if (!answer.next) break;
		cursor = answer.next;
	}
	return items;
}

export const ticketQuery = (number: number) =>
	queryOptions({
		queryKey: ['ticket', number],
		queryFn: async ({ signal }) =>
			got(
				await api.GET('/tickets/{number}', {
					params: { path: { number }, query: { render: 'html', include: ['actions'] } },
					signal
				})
			)
	});

export const commentsQuery = (number: number) =>
	queryOptions({
		queryKey: ['ticket', number, 'comments'],
		queryFn: ({ client, queryKey, signal }) =>
			piecemeal<Comment>(
				client.getQueryData(queryKey),
				more.has(number),
				async (newest, limit, cursor) =>
					got(
						await api.GET('/tickets/{number}/comments', {
							params: {
								path: { number },
								query: { render: 'html', sort: newest ? '-created' : 'created', limit, cursor }
							},
							signal
						})
					)
			)
	});

export const eventsQuery = (number: number) =>
	queryOptions({
		queryKey: ['ticket', number, 'events'],
		queryFn: ({ client, queryKey, signal }) =>
			piecemeal<Event>(
				client.getQueryData(queryKey),
				more.has(number),
				// Those of comments are among them: fewer would say less of what happened than comments are shown.
				async (newest, _, cursor) =>
					got(
						await api.GET('/tickets/{number}/events', {
							params: {
								path: { number },
								query: { sort: newest ? '-sequence' : 'sequence', limit: PAGE, cursor }
							},
							signal
						})
					)
			)
	});

/** The tickets of which more is being read than was. */
const more = new Set<number>();

/** Read the next ones of what is left out of a ticket's conversation. */
export async function readMore(client: QueryClient, number: number): Promise<void> {
	more.add(number);
	try {
		await Promise.all(
			[commentsQuery(number), eventsQuery(number)].map(({ queryKey }) =>
				client.refetchQueries({ queryKey, exact: true }, { throwOnError: true })
			)
		);
	} finally {
		more.delete(number);
	}
}

export const projectsQuery = () =>
	queryOptions({
		queryKey: ['project', 'list'],
		staleTime: RARELY_MS,
		queryFn: ({ signal }) =>
			whole(async (cursor) =>
				got(await api.GET('/projects', { params: { query: { limit: PAGE, cursor } }, signal }))
			)
	});

export const viewsQuery = () =>
	queryOptions({
		queryKey: ['view', 'list'],
		staleTime: RARELY_MS,
		queryFn: ({ signal }) =>
			whole(async (cursor) =>
				got(await api.GET('/views', { params: { query: { limit: PAGE, cursor } }, signal }))
			)
	});

export const categoriesQuery = (project: string) =>
	queryOptions({
		queryKey: ['category', project],
		staleTime: RARELY_MS,
		queryFn: ({ signal }) =>
			whole(async (cursor) =>
				got(
					await api.GET('/projects/{project_key}/categories', {
						params: { path: { project_key: project }, query: { limit: PAGE, cursor } },
						signal
					})
				)
			)
	});

export const meQuery = () =>
	queryOptions({
		queryKey: ['user', 'me'],
		queryFn: async ({ signal }) => got(await api.GET('/me', { signal }))
	});
