import type { Ticket } from '#lib/api/client.ts';
import { desk } from '#lib/texts/desk/index.ts';
import { word, words } from '#lib/texts/words/index.ts';
import type { Choice } from './asking.svelte';
import { LISTS, UNFINISHED, type Filters, type ListName } from './filters';
import { PRIORITIES, SEVERITIES, STATUSES, TYPES, type Workplace } from './workplace.svelte';

/** Every project's categories, where no project narrows them: more than this many are not asked for. */
const MOST_PROJECTS = 20;

/** What a filter can be set to, and what it is set to. */
export async function choices(
	name: ListName,
	filters: Filters,
	work: Workplace,
	tags: readonly string[]
): Promise<Choice[]> {
	const made = await offered(name, filters, work, tags);
	const known = new Set(made.map(({ value }) => value));
	const others = filters[name].filter((value) => !known.has(value));
	return [
		...made.map((choice) => ({ ...choice, checked: filters[name].includes(choice.value) })),
		...others.map((value) => ({ value, label: value, checked: true }))
	];
}

async function offered(
	name: ListName,
	filters: Filters,
	work: Workplace,
	tags: readonly string[]
): Promise<Choice[]> {
	switch (name) {
		case 'project':
			return work.projects.map(({ key, name: label }) => ({ value: key, label }));
		case 'type':
			return TYPES.map((value) => ({ value, label: words.t.type[value], icon: 'type' }));
		case 'status':
			return STATUSES.map((value) => ({ value, label: words.t.status[value], icon: 'status' }));
		case 'priority':
			return PRIORITIES.map((value) => ({
				value,
				label: words.t.priority[value],
				icon: 'priority'
			}));
		case 'severity':
			return SEVERITIES.map((value) => ({ value, label: words.t.severity[value] }));
		case 'tag':
			return tags.map((value) => ({ value, label: value }));
		case 'category': {
			const projects = filters.project.length
				? filters.project
				: work.projects.map(({ key }) => key);
			const all = await Promise.all(
				projects.slice(0, MOST_PROJECTS).map((key) => work.categories(key).catch(() => []))
			);
			const names = new Map(all.flat().map(({ key, name: label }) => [key, label]));
			return [
				{ value: 'none', label: desk.t.none },
				...[...names].map(([value, label]) => ({ value, label }))
			];
		}
		case 'assignee':
			return [
				{ value: 'me', label: desk.t.me },
				{ value: 'none', label: desk.t.unassigned },
				...work.staff
					.filter(({ id }) => id !== work.me)
					.map(({ id, name: label }) => ({ value: id, label, icon: 'person' as const }))
			];
		case 'requester':
			return [{ value: 'me', label: desk.t.me }];
	}
}

/** The filters that are set, in words; the status that every list has by itself is not said. */
export function chips(
	filters: Filters,
	work: Workplace
): { name: ListName; label: string; value: string }[] {
	return LISTS.filter(
		(name) =>
			filters[name].length > 0 &&
			!(
				name === 'status' &&
				filters.status.length === UNFINISHED.length &&
				UNFINISHED.every((status) => filters.status.includes(status))
			)
	).map((name) => ({
		name,
		label: words.t.field[name === 'tag' ? 'tags' : name],
		value: filters[name].map((value) => said(name, value, work)).join(', ')
	}));
}

function said(name: ListName, value: string, work: Workplace): string {
	switch (name) {
		case 'project':
			return work.projectName(value);
		case 'assignee':
		case 'requester':
			if (value === 'me') return desk.t.me;
			if (value === 'none') return desk.t.unassigned;
			return work.personName(value);
		case 'category':
			return value === 'none' ? desk.t.none : work.categoryName(value);
		case 'tag':
			return value;
		default:
			return word(words.t[name] as Record<Ticket['status'], string>, value);
	}
}
