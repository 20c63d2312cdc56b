import { createInfiniteQuery } from '@tanstack/svelte-query';

export type Page<T> = { items: T[]; next: string | null };

/** A list of the API, read page by page as more of it is wanted; `read` gets the cursor, or nothing at first. */
export function pages<T>(
	options: () => {
		key: readonly unknown[];
		enabled?: boolean;
		/** How often to read it again by itself, in milliseconds; what has events of its own needs none. */
		refreshed?: number;
		read: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<T>>;
	}
) {
	return createInfiniteQuery(() => {
		const { key, enabled = true, refreshed, read } = options();
		return {
			queryKey: key,
			enabled,
			refetchInterval: refreshed ?? (false as const),
			initialPageParam: undefined as string | undefined,
			queryFn: ({ pageParam, signal }: { pageParam: string | undefined; signal: AbortSignal }) =>
				read(pageParam, signal),
			getNextPageParam: (last: Page<T>) => last.next ?? undefined
		};
	});
}
