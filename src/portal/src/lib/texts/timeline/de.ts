import type en from './en';

export default {
	service: 'Ticketing',
	created: 'hat dieses Ticket eröffnet',
	changed: (field: string) => `hat geändert: ${field}`,
	set: (field: string, after: string) => `hat ${field} auf ${after} gesetzt`,
	cleared: (field: string) => `hat entfernt: ${field}`,
	from: (before: string) => `Vorher: ${before}.`,
	assigned: (name: string) => `hat das Ticket ${name} zugewiesen`,
	assignedSelf: 'hat dieses Ticket übernommen',
	unassigned: 'hat die Zuweisung aufgehoben',
	text: (field: string) => `hat bearbeitet: ${field}`,
	resolved: (resolution: string) => `hat es gelöst: ${resolution}`,
	closed: 'hat dieses Ticket geschlossen',
	closedAs: (resolution: string) => `hat es geschlossen: ${resolution}`,
	reopened: 'hat es wieder geöffnet',
	escalated: 'Dieses kritische Ticket wartet zu lange auf eine Antwort.',
	several: 'hat mehreres geändert',
	compare: 'Was es war, und was es jetzt ist',
	before: 'Vorher',
	after: 'Nachher',
	nothing: 'nichts'
} satisfies typeof en as typeof en;
