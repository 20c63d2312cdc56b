import { desk } from '#lib/texts/desk/index.ts';
import { word, words } from '#lib/texts/words/index.ts';
import type { Choice } from './asking.svelte';
import { chosen, type ListName } from '#lib/query/query.ts';
import type { Clause } from '#lib/query/tokens.ts';
import { query } from '#lib/texts/query/index.ts';
import { PRIORITIES, SEVERITIES, STATUSES, TYPES, type Workplace } from './workplace.svelte';

/** Every project's categories, where no project narrows them: more than this many are not asked for. */
const MOST_PROJECTS = 20;

/** What a filter can be set to, and what it is set to. */
export async function choices(
	name: ListName,
	text: string,
	work: Workplace,
	tags: readonly string[]
): Promise<Choice[]> {
	const made = await offered(name, text, work, tags);
	const known = new Set(made.map(({ value }) => value));
	const asked = chosen(text, name);
	const others = asked.filter((value) => !known.has(value));
	return [
		...made.map((choice) => ({ ...choice, checked: asked.includes(choice.value) })),
		...others.map((value) => ({ value, label: value, checked: true }))
	];
}

async function offered(
	name: ListName,
	text: string,
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
			const asked = chosen(text, 'project');
			const projects = asked.length ? asked : work.projects.map(({ key }) => key);
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

/** A clause that names a field, in words. */
export function said(
	{ name, negated, values }: Clause,
	work: Workplace
): { label: string; value: string } {
	const label = word(query.t.field, name ?? '');
	const all = values.map(
		({ text, comparison, quoted: literal }) =>
			(comparison && `${SIGNS[comparison]} `) +
			value(name, literal ? text : text.toLowerCase(), text, work)
	);
	return { label: negated ? query.t.not(label) : label, value: all.join(', ') };
}
const SIGNS = { '<': '<', '<=': '≤', '>': '>', '>=': '≥' } as const;

/** A value of a field in words. */
export function plainValue(name: string, text: string, work: Workplace): string {
	if (name === 'sort') return (desk.t.sorts as Record<string, string>)[text] ?? text;
	return value(name, text, text, work);
}

function value(name: string | null, key: string, text: string, work: Workplace): string {
	switch (name) {
		case 'project':
			return work.projectName(key);
		case 'assignee':
		case 'requester':
			if (key === 'me') return desk.t.me;
			if (key === 'none') return desk.t.unassigned;
			return UUID.test(key) ? work.personName(key) : text;
		case 'category':
			return key === 'none' ? desk.t.none : work.categoryName(key);
		case 'type':
		case 'status':
		case 'priority':
		case 'severity':
		case 'resolution':
		case 'channel':
			return word(words.t[name] as Record<string, string>, key);
		default:
			return key === 'none' ? desk.t.none : text;
	}
}
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;
