import { plural } from '../language.svelte';

/** The query bar: what is looked for, in chips and in text. */
export default {
	label: 'Find tickets',
	placeholder: 'Text, a number, or a field such as assignee:me',
	hint: 'Arrow keys choose from the list. Backspace goes to the last filter. Enter changes a filter, Delete removes it.',
	chips: 'Filters',
	remove: (name: string) => `Remove the filter ${name}`,
	not: (name: string) => `Not ${name}`,
	clear: 'Clear',
	instead: (text: string) => `Use ${text}`,
	faulty: 'Not valid',
	recent: 'Recent',
	fields: 'Fields',
	values: 'Values',
	suggestions: (count: number) => plural(count, { one: '# suggestion', other: '# suggestions' }),
	none: 'Nothing matches',
	noneText: 'No ticket that you may see matches all of this:',
	dropped: (clause: string) => `Without ${clause}`,
	stay: 'The list below is of what you looked for before.',
	field: {
		type: 'Type',
		status: 'Status',
		resolution: 'Resolution',
		priority: 'Priority',
		severity: 'Severity',
		channel: 'Came in by',
		project: 'Project',
		category: 'Category',
		tag: 'Tag',
		assignee: 'Assignee',
		requester: 'Requester',
		external_reference: 'Imported from',
		title: 'Title',
		number: 'Number',
		escalated: 'Escalated',
		created: 'Opened',
		updated: 'Updated',
		resolved: 'Resolved',
		closed: 'Closed',
		sort: 'Sort'
	} as Record<string, string>,
	fault: {
		unknown_field: (text: string) => `There is no field “${text}”.`,
		not_allowed: (text: string) => `“${text}” is no value of this field.`,
		required: () => 'Something is missing here.',
		reserved: (text: string) => `“${text}” has no meaning yet. Put it in quotes to look for it.`,
		unknown: (text: string) => `“${text}” is not known, or not for you to see.`,
		too_long: () => 'This query is too long. Leave something out.',
		too_many: () => 'This asks for too much at once. Leave something out.'
	} as Record<string, ((text: string) => string) | undefined>
};
