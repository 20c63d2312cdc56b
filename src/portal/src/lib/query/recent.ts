const MOST = 8;

/** The queries that somebody has asked last, in this browser. */
export function recent(user: string): string[] {
	try {
		const kept: unknown = JSON.parse(localStorage.getItem(key(user)) ?? '[]');
		return Array.isArray(kept) ? kept.filter((each) => typeof each === 'string') : [];
	} catch {
		return [];
	}
}

export function remember(user: string, query: string): void {
	try {
		const all = [query, ...recent(user).filter((each) => each !== query)].slice(0, MOST);
		localStorage.setItem(key(user), JSON.stringify(all));
	} catch {
		// Storage is full or switched off: there are none.
	}
}

const key = (user: string) => `ticketing.queries.${user}`;
