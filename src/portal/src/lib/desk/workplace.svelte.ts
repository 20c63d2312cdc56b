import { createContext } from 'svelte';
import { createQuery, type QueryClient } from '@tanstack/svelte-query';
import { api, got, type Schemas, type Ticket, type User } from '#lib/api/client.ts';
import { categoriesQuery, projectsQuery } from '#lib/api/queries.ts';
import { session } from '#lib/state/session.svelte.ts';
import { desk } from '#lib/texts/desk/index.ts';
import { word, words } from '#lib/texts/words/index.ts';
import { asking, type Choice } from './asking.svelte';
import { Changing, type ManyPatch, type TicketPatch } from './changing.svelte';
import { Views } from './views.svelte';

type Project = Schemas['Project'];
type Category = Schemas['Category'];
export const STATUSES = ['open', 'in_progress', 'pending', 'resolved', 'closed'] as const;
export const PRIORITIES = ['urgent', 'high', 'normal', 'low'] as const;
export const SEVERITIES = ['critical', 'high', 'medium', 'low', 'none'] as const;
export const TYPES = ['bug', 'feature_request', 'support'] as const;
const ENDED: readonly string[] = ['resolved', 'closed'];
const LONG_MS = 300_000;

/** What an agent works with on every page of the desk: who there is, what can be chosen, and the ways to change tickets. */
export class Workplace {
	readonly changing: Changing;
	/** Where to write next, once the ticket is there. */
	compose = $state<'reply' | 'note' | null>(null);
	/** What one does with the ticket that is open, as colleagues see it. */
	activity = $state<'viewing' | 'replying'>('viewing');
	/** Whether the views are shown in a drawer. */
	drawer = $state(false);
	readonly views: Views;
	#staff;
	#projects;

	constructor(readonly client: QueryClient) {
		this.#staff = createQuery(() => ({
			queryKey: ['user', 'staff'],
			staleTime: LONG_MS,
			queryFn: ({ signal }) => everyone(signal)
		}));
		this.#projects = createQuery(() => projectsQuery());
		this.views = new Views(client);
		this.changing = new Changing(client, () => this.staff);
	}

	get me(): string {
		return session.user?.id ?? '';
	}

	/** Agents and admins who can take a ticket, oneself first. */
	get staff(): User[] {
		return (this.#staff.data ?? []).toSorted(
			(a, b) => Number(b.id === this.me) - Number(a.id === this.me) || a.name.localeCompare(b.name)
		);
	}

	get projects(): Project[] {
		return this.#projects.data ?? [];
	}

	projectName(key: string): string {
		return this.projects.find((each) => each.key === key)?.name ?? key;
	}

	/** The name of a category, as far as it is known by now. */
	categoryName(key: string): string {
		return (
			this.client
				.getQueriesData<Category[]>({ queryKey: ['category'] })
				.flatMap(([, categories]) => (Array.isArray(categories) ? categories : []))
				.find((each) => each.key === key)?.name ?? key
		);
	}

	/** The name of anybody, from whatever was read of them. */
	personName(id: string): string {
		const known = this.staff.find((each) => each.id === id)?.name;
		if (known) return known;
		for (const list of this.changing.lists) {
			const ticket = list.items.find(({ requester }) => requester.id === id);
			if (ticket) return ticket.requester.name;
		}
		return '…';
	}

	categories(project: string): Promise<Category[]> {
		return this.client.fetchQuery(categoriesQuery(project));
	}

	// Ways to change tickets. Each asks for what it needs; false if nothing was done.

	async change(tickets: readonly Ticket[], patch: TicketPatch & ManyPatch): Promise<boolean> {
		if (tickets.length === 0) return false;
		if (tickets.length === 1) return (await this.changing.one(tickets[0]!, patch)) !== null;
		await this.changing.many(tickets, patch);
		return true;
	}

	async status(tickets: readonly Ticket[], status: Ticket['status']): Promise<boolean> {
		if (!ENDED.includes(status) || tickets.every(({ resolution }) => resolution !== 'none'))
			return this.change(tickets, { status });
		const why = await asking.ask('resolution', {
			status: status as 'resolved' | 'closed',
			count: tickets.length
		});
		return why ? this.change(tickets, { status, ...why }) : false;
	}

	async askStatus(tickets: readonly Ticket[], anchor?: HTMLElement | null): Promise<boolean> {
		if (tickets.length === 0) return false;
		const held = common(tickets, (ticket) => ticket.status);
		const offered = tickets.length === 1 ? nextStatuses(tickets[0]!) : STATUSES;
		const [status] =
			(await asking.ask('choice', {
				title: desk.t.setStatus,
				anchor,
				choices: offered.map((value) => ({
					value,
					label: words.t.status[value],
					icon: 'status',
					checked: value === held
				}))
			})) ?? [];
		return status && status !== held ? this.status(tickets, status as Ticket['status']) : false;
	}

	async askPriority(tickets: readonly Ticket[], anchor?: HTMLElement | null): Promise<boolean> {
		const held = common(tickets, (ticket) => ticket.priority);
		const priority = await this.#one(
			tickets,
			desk.t.setPriority,
			PRIORITIES.map((value) => ({
				value,
				label: words.t.priority[value],
				icon: 'priority',
				checked: value === held
			})),
			anchor
		);
		return priority ? this.change(tickets, { priority: priority as Ticket['priority'] }) : false;
	}

	async askSeverity(ticket: Ticket, anchor?: HTMLElement | null): Promise<boolean> {
		const severity = await this.#one(
			[ticket],
			desk.t.setSeverity,
			SEVERITIES.map((value) => ({
				value,
				label: words.t.severity[value],
				checked: value === ticket.severity
			})),
			anchor
		);
		return severity ? this.change([ticket], { severity: severity as Ticket['severity'] }) : false;
	}

	async askCategory(ticket: Ticket, anchor?: HTMLElement | null): Promise<boolean> {
		const categories = (await this.categories(ticket.project)).filter(({ archived }) => !archived);
		const category = await this.#one(
			[ticket],
			desk.t.setCategory,
			[
				{ value: '', label: desk.t.none, checked: ticket.category === null },
				...categories.map(({ key, name }) => ({
					value: key,
					label: name,
					checked: key === ticket.category
				}))
			],
			anchor
		);
		return category !== undefined ? this.change([ticket], { category: category || null }) : false;
	}

	async askAssignee(tickets: readonly Ticket[], anchor?: HTMLElement | null): Promise<boolean> {
		const held = common(tickets, (ticket) => ticket.assignee?.id ?? '');
		const id = await this.#one(
			tickets,
			desk.t.assign,
			[
				{ value: '', label: desk.t.unassigned, checked: held === '' },
				...this.staff.map((person) => ({
					value: person.id,
					label: person.name,
					icon: 'person' as const,
					also: person.id === this.me ? desk.t.me : '',
					checked: held === person.id
				}))
			],
			anchor
		);
		return id === undefined ? false : this.assign(tickets, id || null);
	}

	async assign(tickets: readonly Ticket[], id: string | null): Promise<boolean> {
		const person = this.staff.find((each) => each.id === id);
		return this.change(tickets, {
			assignee: id === null ? null : { id, ...(person && { name: person.name }) }
		});
	}

	/** All tags of one ticket; or, of several, those to add or those to remove. */
	async askTags(
		tickets: readonly Ticket[],
		known: readonly string[],
		way: 'set' | 'add' | 'remove',
		anchor?: HTMLElement | null
	): Promise<boolean> {
		if (tickets.length === 0) return false;
		const held = [...new Set(tickets.flatMap(({ tags }) => tags))];
		const offered = way === 'remove' ? held : [...new Set([...held, ...known])];
		const tags = await asking.ask('choice', {
			title: { set: desk.t.setTags, add: desk.t.addTags, remove: desk.t.removeTags }[way],
			anchor,
			several: true,
			choices: offered.toSorted().map((value) => ({
				value,
				label: value,
				checked: way === 'set' && held.includes(value)
			})),
			...(way !== 'remove' && { create: (text: string) => text.trim().toLowerCase() })
		});
		if (!tags) return false;
		if (way === 'set') return this.change(tickets, { tags });
		if (tags.length === 0) return false;
		await this.changing.many(tickets, way === 'add' ? { add_tags: tags } : { remove_tags: tags });
		return true;
	}

	async #one(
		tickets: readonly Ticket[],
		title: string,
		choices: Choice[],
		anchor?: HTMLElement | null
	): Promise<string | undefined> {
		if (tickets.length === 0) return undefined;
		const [value] = (await asking.ask('choice', { title, choices, anchor })) ?? [];
		return choices.find((each) => each.checked)?.value === value ? undefined : value;
	}
}

/** The statuses that a ticket has or may take now, as far as the service has said. */
export function nextStatuses(ticket: Ticket): readonly Ticket['status'][] {
	const allowed: readonly string[] | undefined = ticket.actions?.statuses;
	return allowed
		? STATUSES.filter((status) => status === ticket.status || allowed.includes(status))
		: STATUSES;
}

/** What all of them have; undefined if they differ. */
function common<T>(tickets: readonly Ticket[], of: (ticket: Ticket) => T): T | undefined {
	const values = new Set(tickets.map(of));
	return values.size === 1 ? [...values][0] : undefined;
}

async function everyone(signal: AbortSignal): Promise<User[]> {
	const all: User[] = [];
	let cursor: string | undefined;
	do {
		const page = got(
			await api.GET('/users', {
				params: { query: { role: ['agent', 'admin'], limit: 100, cursor } },
				signal
			})
		);
		all.push(...page.items.filter(({ active, service_account: machine }) => active && !machine));
		cursor = page.next ?? undefined;
	} while (cursor);
	return all;
}

export function resolutionWord(value: string): string {
	return word(words.t.resolution, value);
}

export const [workplace, setWorkplace] = createContext<Workplace>();
