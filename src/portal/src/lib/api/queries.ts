import { queryOptions } from '@tanstack/svelte-query';
import { api, got } from './client.ts';

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
		queryFn: ({ signal }) =>
			whole(async (cursor) =>
				got(
					await api.GET('/tickets/{number}/comments', {
						params: { path: { number }, query: { render: 'html', limit: PAGE, cursor } },
						signal
					})
				)
			)
	});

export const eventsQuery = (number: number) =>
	queryOptions({
		queryKey: ['ticket', number, 'events'],
		queryFn: ({ signal }) =>
			whole(async (cursor) =>
				got(
					await api.GET('/tickets/{number}/events', {
						params: { path: { number }, query: { limit: PAGE, cursor } },
						signal
					})
				)
			)
	});

export const projectsQuery = () =>
	queryOptions({
		queryKey: ['project', 'list'],
		staleTime: RARELY_MS,
		queryFn: ({ signal }) =>
			whole(async (cursor) =>
				got(await api.GET('/projects', { params: { query: { limit: PAGE, cursor } }, signal }))
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
