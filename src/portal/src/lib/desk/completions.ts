import { api, got } from '#lib/api/client.ts';
import { fixed, named, type Completion } from '#lib/query/completing.ts';
import { choices, plainValue } from './choices.ts';
import type { Workplace } from './workplace.svelte';

/** The values of a field that an agent can write, as far as they may see them. */
export async function completions(
	query: string,
	field: string,
	typed: string,
	{ work, tags, signal }: { work: Workplace; tags: readonly string[]; signal: AbortSignal }
): Promise<Completion[]> {
	const always = fixed(field, (value) => plainValue(field, value, work));
	switch (field) {
		case 'project':
			return work.projects.map(({ key, name }) => named(key, name));
		case 'tag':
			return [...tags.map((tag) => named(tag)), ...always];
		case 'category': {
			const all = await choices('category', query, work, tags);
			return all.map(({ value, label }) => named(value, label));
		}
		case 'assignee':
			return [...always, ...work.staff.map(({ name }) => named(name))];
		case 'requester': {
			if (typed.length < 2) return always;
			const { items } = got(
				await api.GET('/users', { params: { query: { name: typed, limit: 8 } }, signal })
			);
			return [...always, ...items.map(({ name }) => named(name))];
		}
		default:
			return always;
	}
}
