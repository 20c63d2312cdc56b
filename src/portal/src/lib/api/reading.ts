import { QueryClient } from '@tanstack/svelte-query';
import type { InvalidateOptions, InvalidateQueryFilters, QueryKey } from '@tanstack/svelte-query';

/**
 * What pages have read of the API.
 *
 * What is invalidated is read again, also while it is being read for the first time: TanStack lets such a request
 * finish, and takes what it brings for new, although it may have left before the change.
 */
export class Reading extends QueryClient {
	override async invalidateQueries<TKey extends QueryKey = QueryKey>(
		filters?: InvalidateQueryFilters<TKey>,
		options?: InvalidateOptions
	): Promise<void> {
		await this.cancelQueries({
			...filters,
			predicate: (query) =>
				query.state.data === undefined && (filters?.predicate?.(query as never) ?? true)
		} as InvalidateQueryFilters<TKey>);
		await super.invalidateQueries(filters, options);
	}
}
