import { createQuery, keepPreviousData, type QueryClient } from '@tanstack/svelte-query';
import { api, got, onceKey, type Event, type Schemas } from '#lib/api/client.ts';
import { viewsQuery } from '#lib/api/queries.ts';
import { read, same, sortOf } from '#lib/query/query.ts';
import { session } from '#lib/state/session.svelte.ts';
import { toasts } from '#lib/state/toasts.svelte.ts';
import { desk } from '#lib/texts/desk/index.ts';
import { reason } from '#lib/texts/reason.ts';
import { shell } from '#lib/texts/shell/index.ts';

export type View = Schemas['View'];
export type Fields = Pick<View, 'name' | 'q' | 'columns' | 'visibility'>;

/** Counts follow what happens, but not more often than this. */
const COUNT_MS = 5000;
/** What happens together is counted together. */
const TOGETHER_MS = 400;
/** Some queries change with time alone, such as `updated:-7d`. */
const ANYWAY_MS = 300_000;
const MOST_COUNTS = 50;
const MOST_PLACED = 200;

/** The views of who works at the desk: in their order, with how many tickets each has. */
export class Views {
	#all;
	#counts;
	/** Their order as it is being changed. */
	#moved = $state.raw<string[] | null>(null);
	/** What was said of a change that is heard, not seen. */
	said = $state('');
	#due: ReturnType<typeof setTimeout> | undefined;
	#counted = 0;
	#missed = false;

	constructor(readonly client: QueryClient) {
		this.#all = createQuery(() => viewsQuery());
		this.#counts = createQuery(() => ({
			queryKey: ['view-count', this.shown.map(({ id, q }) => [id, q])],
			enabled: this.shown.length > 0,
			staleTime: ANYWAY_MS,
			refetchInterval: ANYWAY_MS,
			placeholderData: keepPreviousData,
			queryFn: async ({ signal }) =>
				got(
					await api.GET('/view-counts', {
						params: {
							query: { view_id: this.shown.slice(0, MOST_COUNTS).map(({ id }) => id) }
						},
						signal
					})
				).items
		}));
	}

	/** All, in their order. */
	get all(): View[] {
		const views = this.#all.data ?? [];
		const moved = this.#moved;
		if (!moved) return views;
		const place = (view: View) => {
			const at = moved.indexOf(view.id);
			return at < 0 ? moved.length : at;
		};
		return views.toSorted((one, other) => place(one) - place(other));
	}

	get shown(): View[] {
		return this.all.filter(({ id }) => !this.#hidden.includes(id));
	}

	get hidden(): View[] {
		return this.all.filter(({ id }) => this.#hidden.includes(id));
	}

	get ready(): boolean {
		return this.#all.isFetched;
	}

	get #hidden(): readonly string[] {
		return session.preferences?.hidden_views ?? [];
	}

	count(view: View): Schemas['ViewCount'] | undefined {
		return this.#counts.data?.find((each) => each.view_id === view.id);
	}

	/** The view that has this query, or else the same with another sort. */
	of(q: string): View | undefined {
		const alike = this.all.filter((view) => same(view.q, q));
		return alike.find((view) => sortOf(view.q) === sortOf(q)) ?? alike[0];
	}

	/** Who may change or delete it. */
	mayChange(view: View): boolean {
		return view.preset === 'none' && (view.owner?.id === session.user?.id || session.isAdmin);
	}

	/** Make a view, or change one. Raises what the service says. */
	async keep(fields: Fields, view?: View): Promise<View> {
		const body = fields as Schemas['ViewCreate'];
		const kept = got(
			view
				? await api.PATCH('/views/{view_id}', {
						params: { path: { view_id: view.id }, header: { 'If-Match': view.version } },
						body
					})
				: await api.POST('/views', { params: { header: onceKey() }, body })
		);
		await this.client.invalidateQueries({ queryKey: ['view'] });
		return kept;
	}

	/** Delete a view. What was one's own can be had back. */
	async remove(view: View): Promise<void> {
		const order = this.all.map(({ id }) => id);
		await this.#try(async () => {
			await api.DELETE('/views/{view_id}', { params: { path: { view_id: view.id } } });
			await this.client.invalidateQueries({ queryKey: ['view'] });
			toasts.done(
				desk.t.viewDeleted(view.name),
				view.visibility === 'private' ? { label: shell.t.undo, run: () => void back() } : undefined
			);
		});
		const back = () =>
			this.#try(async () => {
				const { name, q, columns, visibility } = view;
				const { id } = await this.keep({ name, q, columns, visibility });
				await this.#place(order.map((each) => (each === view.id ? id : each)));
			});
	}

	/** Give it another place among those that are shown. */
	async move(view: View, to: number): Promise<void> {
		const shown = this.shown;
		const from = shown.findIndex(({ id }) => id === view.id);
		if (from < 0 || to < 0 || to >= shown.length || from === to) return;
		const order = this.all.map(({ id }) => id).filter((id) => id !== view.id);
		const beside = order.indexOf(shown[to]!.id);
		order.splice(to > from ? beside + 1 : beside, 0, view.id);
		this.said = desk.t.viewMoved(named(view), to + 1, shown.length);
		await this.#try(() => this.#place(order));
	}

	async hide(view: View, hidden: boolean): Promise<void> {
		const others = this.#hidden.filter((id) => id !== view.id);
		await this.#try(() =>
			this.#prefer({ hidden_views: hidden ? [...others, view.id].slice(-MOST_PLACED) : others })
		);
	}

	async #place(order: string[]): Promise<void> {
		this.#moved = order;
		try {
			await this.#prefer({ view_order: order.slice(0, MOST_PLACED) });
			await this.client.invalidateQueries({ queryKey: ['view'] });
		} finally {
			if (this.#moved === order) this.#moved = null;
		}
	}

	async #prefer(preferences: Schemas['PreferencesPatch']): Promise<void> {
		session.preferences = got(await api.PATCH('/me', { body: { preferences } })).preferences;
	}

	async #try(action: () => Promise<unknown>): Promise<void> {
		try {
			await action();
		} catch (error) {
			toasts.failed(reason(error));
		}
	}

	/** Count again soon after something happened, and take what was arranged elsewhere. */
	heard(event: Event | 'everything'): void {
		if (event === 'everything' || /^(ticket|comment)\./.test(event.type)) this.#stale();
		else if (
			event.type === 'user.updated' &&
			(event.data as { id?: string } | null)?.id === session.user?.id
		)
			void session.load().then(() => this.client.invalidateQueries({ queryKey: ['view'] }));
	}

	/** Count what was missed while nobody looked. */
	seen(): void {
		if (!document.hidden && this.#missed) this.#stale();
	}

	stop(): void {
		clearTimeout(this.#due);
	}

	#stale(): void {
		this.#missed = document.hidden;
		if (this.#missed || this.#due !== undefined) return;
		const wait = Math.max(TOGETHER_MS, this.#counted + COUNT_MS - Date.now());
		this.#due = setTimeout(() => {
			this.#due = undefined;
			this.#counted = Date.now();
			void this.client.invalidateQueries({ queryKey: ['view-count'] });
		}, wait);
	}

	/**
	 * Filters that an earlier release kept in this browser become views, once: each leaves the browser when the service
	 * has it. One that it refuses stays where it is.
	 */
	async bring(): Promise<void> {
		const place = `ticketing.filters.${session.user?.id ?? ''}`;
		// The oldest were kept as an address with a parameter for each filter.
		let kept: ({ name: string } & ({ query: string } | { search: string }))[];
		try {
			kept = JSON.parse(localStorage.getItem(place) ?? '[]') as typeof kept;
		} catch {
			return;
		}
		if (!Array.isArray(kept) || kept.length === 0) return;
		for (const each of [...kept]) {
			const q = 'query' in each ? each.query : read(new URLSearchParams(each.search));
			try {
				// The same key from another tab, or the next time, makes it no second view.
				const header = { 'Idempotency-Key': `moved-${digest(`${each.name}\n${q}`)}` };
				await api.POST('/views', { params: { header }, body: { name: each.name, q } });
			} catch {
				continue;
			}
			kept = kept.filter((other) => other !== each);
			if (kept.length > 0) localStorage.setItem(place, JSON.stringify(kept));
			else localStorage.removeItem(place);
		}
		await this.client.invalidateQueries({ queryKey: ['view'] });
	}
}

/** A short text that stands for a long one (FNV-1a, twice); `crypto.subtle` is not there without TLS. */
function digest(text: string): string {
	return [0x811c9dc5, 0x01234567]
		.map((seed) =>
			[...new TextEncoder().encode(text)]
				.reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193) >>> 0, seed)
				.toString(16)
		)
		.join('');
}

/** What a view is called: those that come with the service, in the language of the page. */
export function named(view: View): string {
	return view.preset in desk.t.view
		? desk.t.view[view.preset as keyof typeof desk.t.view]
		: view.name;
}
