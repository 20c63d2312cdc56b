import type { Page } from './pages.ts';

/** A long list of which the first and the newest are read; what is between them follows when it is asked for. */
export type Part<T> = {
	/** In their order, oldest first. */
	items: T[];
	/** Before which of them some are left out; null if these are all. */
	gap: number | null;
};

const FIRST = 20;
const NEWEST = 80;
const MORE = 80;
const LONGEST_PAGE = 100;
/** No list is read in more pages than these from either end. */
const MOST_PAGES = 50;

/**
 * Read again what was read before of a list, and one page more of what was left out if that is `wanted`.
 *
 * What is shown never goes: when new ones come, those that were the newest are read as well.
 */
export async function piecemeal<T extends { id: string }>(
	before: Part<T> | undefined,
	wanted: boolean,
	read: (newest: boolean, limit: number, cursor?: string) => Promise<Page<T>>
): Promise<Part<T>> {
	const oldest = before?.items[before.gap ?? 0]?.id;
	const newest: T[] = [];
	let page: Page<T> | undefined;
	for (let pages = 0; pages < MOST_PAGES; pages++) {
		page = await read(true, before ? LONGEST_PAGE : NEWEST, page?.next ?? undefined);
		newest.push(...page.items);
		if (!page.next) return { items: newest.reverse(), gap: null };
		const end =
			oldest === undefined ? newest.length - 1 : newest.findIndex(({ id }) => id === oldest);
		if (end >= 0) {
			newest.length = end + 1;
			break;
		}
	}
	newest.reverse();

	const known = new Set(newest.map(({ id }) => id));
	const least = before?.gap ?? 0;
	let first: T[] = [];
	let grows = wanted || least === 0;
	page = undefined;
	for (let pages = 0; pages < MOST_PAGES; pages++) {
		const left = least - first.length;
		if (left <= 0) {
			if (!grows) break;
			grows = false;
		}
		const limit = left > 0 ? Math.min(left, LONGEST_PAGE) : least ? MORE : FIRST;
		page = await read(false, limit, page?.next ?? undefined);
		const met = page.items.findIndex(({ id }) => known.has(id));
		first = first.concat(met < 0 ? page.items : page.items.slice(0, met));
		if (met >= 0 || !page.next) return { items: [...first, ...newest], gap: null };
	}
	return { items: [...first, ...newest], gap: first.length };
}

/** Between which moments some of a list are left out; null if nothing is. */
export function between<T>(
	part: Part<T> | undefined,
	at: (item: T) => string
): { after: string; before: string } | null {
	if (!part || part.gap === null) return null;
	const [last, next] = [part.items[part.gap - 1], part.items[part.gap]];
	return { after: last ? at(last) : '', before: next ? at(next) : '' };
}
