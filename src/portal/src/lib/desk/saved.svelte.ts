import { read } from '#lib/query/query.ts';

export type Saved = { name: string; query: string };
/** As they were kept when an address had a parameter for each filter. */
type Old = { name: string; search: string };

/** Filters that somebody keeps under a name, in this browser. */
export class SavedFilters {
	list = $state.raw<Saved[]>([]);
	#key: string;

	constructor(user: string) {
		this.#key = `ticketing.filters.${user}`;
		try {
			const kept: unknown = JSON.parse(localStorage.getItem(this.#key) ?? '[]');
			if (Array.isArray(kept))
				this.list = (kept as (Saved | Old)[]).map((each) =>
					'search' in each
						? { name: each.name, query: read(new URLSearchParams(each.search)) }
						: each
				);
		} catch {
			// Nothing can be read: it begins empty.
		}
	}

	/** One of the same name is replaced. */
	add(name: string, query: string): void {
		this.#keep([...this.list.filter((each) => each.name !== name), { name, query }]);
	}

	remove(name: string): void {
		this.#keep(this.list.filter((each) => each.name !== name));
	}

	#keep(list: Saved[]): void {
		this.list = list;
		try {
			localStorage.setItem(this.#key, JSON.stringify(list));
		} catch {
			// Storage is full or switched off: they hold for this page.
		}
	}
}
