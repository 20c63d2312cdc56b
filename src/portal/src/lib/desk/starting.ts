import { OPEN } from '#lib/query/query.ts';

/** The queries that everybody starts with. */
export const STARTING = {
	unassigned: `${OPEN} assignee:none`,
	mine: `${OPEN} assignee:me`,
	waiting: 'status:pending assignee:me',
	critical: `${OPEN} severity:critical`,
	escalated: `${OPEN} escalated:true`,
	open: OPEN,
	all: ''
} as const;
export type StartingName = keyof typeof STARTING;
