import { createQuery } from '@tanstack/svelte-query';
import { api, got } from '#lib/api/client.ts';

/** What this installation is and offers; it does not change while a page is open. */
export function installation() {
	return createQuery(() => ({
		queryKey: ['installation'],
		staleTime: Infinity,
		queryFn: async ({ signal }) => got(await api.GET('/', { signal }))
	}));
}
