import type en from './en';

export default {
	label: 'Tickets finden',
	placeholder: 'Text, eine Nummer oder ein Feld wie assignee:me',
	hint: 'Pfeiltasten wählen aus der Liste. Die Rücktaste geht zum letzten Filter. Enter ändert einen Filter, Entf entfernt ihn.',
	chips: 'Filter',
	remove: (name: string) => `Filter ${name} entfernen`,
	not: (name: string) => `Nicht ${name}`,
	clear: 'Leeren',
	instead: (text: string) => `${text} verwenden`,
	faulty: 'Nicht gültig',
	recent: 'Zuletzt gesucht',
	fields: 'Felder',
	values: 'Werte',
	suggestions: (count: number) => (count === 1 ? '1 Vorschlag' : `${count} Vorschläge`),
	none: 'Nichts passt',
	noneText: 'Kein Ticket, das Sie sehen dürfen, passt zu all dem:',
	dropped: (clause: string) => `Ohne ${clause}`,
	stay: 'Die Liste darunter zeigt, was Sie zuvor gesucht haben.',
	field: {
		type: 'Art',
		status: 'Status',
		resolution: 'Lösung',
		priority: 'Priorität',
		severity: 'Schweregrad',
		channel: 'Eingang über',
		project: 'Projekt',
		category: 'Kategorie',
		tag: 'Tag',
		assignee: 'Zuständig',
		requester: 'Anfrage von',
		external_reference: 'Importiert aus',
		title: 'Titel',
		number: 'Nummer',
		escalated: 'Eskaliert',
		created: 'Eröffnet',
		updated: 'Geändert',
		resolved: 'Gelöst',
		closed: 'Geschlossen',
		sort: 'Sortierung'
	},
	fault: {
		unknown_field: (text: string) => `Ein Feld „${text}“ gibt es nicht.`,
		not_allowed: (text: string) => `„${text}“ ist kein Wert dieses Felds.`,
		required: () => 'Hier fehlt etwas.',
		reserved: (text: string) =>
			`„${text}“ hat noch keine Bedeutung. In Anführungszeichen wird danach gesucht.`,
		unknown: (text: string) => `„${text}“ ist nicht bekannt oder nicht für Sie sichtbar.`,
		too_long: () => 'Diese Suche ist zu lang. Lassen Sie etwas weg.',
		too_many: () => 'Das ist zu viel auf einmal. Lassen Sie etwas weg.'
	}
} satisfies typeof en as typeof en;
