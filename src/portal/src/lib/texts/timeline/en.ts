/** A field's name within a sentence. */
const inside = (field: string) => field.charAt(0).toLowerCase() + field.slice(1);

/** What happened to a ticket, in sentences; the name of whoever did it stands before each. */
export default {
	service: 'Ticketing',
	created: 'opened this ticket',
	changed: (field: string) => `changed the ${inside(field)}`,
	set: (field: string, after: string) => `set the ${inside(field)} to ${after}`,
	cleared: (field: string) => `removed the ${inside(field)}`,
	from: (before: string) => `It was ${before}.`,
	assigned: (name: string) => `assigned ${name}`,
	assignedSelf: 'took this ticket',
	unassigned: 'removed the assignee',
	text: (field: string) => `edited the ${inside(field)}`,
	resolved: (resolution: string) => `resolved it: ${resolution}`,
	closed: 'closed this ticket',
	closedAs: (resolution: string) => `closed it: ${resolution}`,
	reopened: 'opened it again',
	escalated: 'This critical ticket has waited too long for an answer.',
	several: 'changed several things',
	compare: 'What it was, and what it is now',
	before: 'Before',
	after: 'After',
	nothing: 'nothing'
};
