import { desk } from '#lib/texts/desk/index.ts';
import { words } from '#lib/texts/words/index.ts';
import type { View } from './views.svelte';

export type Column = View['columns'][number];

/** What a list can show of a ticket, in the order in which it is offered, with the room that each has. */
const ROOM: Record<string, string> = {
	priority: '1.5rem',
	status: '1.5rem',
	number: '4rem',
	title: 'minmax(8rem,1fr)',
	tags: 'minmax(0,auto)',
	type: '1.5rem',
	severity: 'minmax(0,5.5rem)',
	project: 'minmax(0,9rem)',
	category: 'minmax(0,7rem)',
	requester: 'minmax(0,9rem)',
	assignee: '1.75rem',
	resolution: 'minmax(0,7rem)',
	channel: 'minmax(0,5rem)',
	created_at: '6.5rem',
	updated_at: '6.5rem',
	resolved_at: '6.5rem'
};
export const COLUMNS = Object.keys(ROOM) as Column[];
/** What a list shows unless its view says otherwise: when it was changed, if it is sorted by that. */
export const DEFAULT_COLUMNS: readonly Column[] = [
	'priority',
	'status',
	'number',
	'title',
	'tags',
	'type',
	'assignee',
	'created_at'
];

/** The columns of a list: those of its view that are known here, and always the title, which leads to the ticket. */
export function columnsOf(wanted: readonly Column[] | undefined, updated: boolean): Column[] {
	const known = (wanted ?? []).filter((each) => each in ROOM);
	if (known.length > 0) return known.includes('title') ? known : ['title', ...known];
	return DEFAULT_COLUMNS.map((each) => (updated && each === 'created_at' ? 'updated_at' : each));
}

/** The tracks of a row of these, after the box that selects it. */
export function tracks(columns: readonly Column[]): string {
	return `2rem ${columns.map((each) => ROOM[each]).join(' ')}`;
}

export function columnLabel(column: Column): string {
	if (column === 'number') return desk.t.number;
	if (column === 'created_at') return desk.t.opened;
	if (column === 'updated_at') return desk.t.updated;
	if (column === 'resolved_at') return desk.t.resolved;
	return words.t.field[column as keyof typeof words.t.field];
}
