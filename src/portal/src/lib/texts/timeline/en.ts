/** What happened to a ticket, in sentences; the name of whoever did it stands before each. */
export default {
	service: 'Ticketing',
	created: 'opened this ticket',
	changed: (field: string) => `changed ${field}`,
	set: (field: string, after: string) => `set ${field} to ${after}`,
	cleared: (field: string) => `removed ${field}`,
	from: (before: string) => `It was ${before}.`,
	assigned: (name: string) => `assigned ${name}`,
	assignedSelf: 'took this ticket',
	unassigned: 'removed the assignee',
	text: (field: string) => `edited the ${field}`,
	resolved: (resolution: string) => `resolved it: ${resolution}`,
	closed: 'closed this ticket',
	closedAs: (resolution: string) => `closed it: ${resolution}`,
	reopened: 'opened it again',
	escalated: 'This critical ticket has waited too long for an answer.',
	several: 'changed several things',
	before: 'Before',
	after: 'After',
	nothing: 'nothing'
};
