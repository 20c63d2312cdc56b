import type en from './en';

export default {
	title: 'Einstellungen',
	forbidden: 'Nur Administratoren ändern Einstellungen.',
	groups: {
		product: 'Produkt',
		people: 'Personen',
		integrations: 'Anbindungen',
		operations: 'Betrieb'
	},
	pages: {
		projects: 'Projekte',
		people: 'Personen',
		machines: 'Dienstkonten',
		webhooks: 'Webhooks',
		jobs: 'Jobs',
		queues: 'Warteschlangen und Zeitpläne',
		events: 'Ereignisse',
		mail: 'E-Mail',
		health: 'Zustand'
	},
	add: 'Hinzufügen',
	edit: 'Bearbeiten',
	remove: 'Entfernen',
	name: 'Name',
	key: 'Schlüssel',
	keyHint: 'Für Adressen; er ändert sich nie. Kleinbuchstaben, Ziffern und Bindestriche.',
	description: 'Beschreibung',
	optional: 'optional',
	archived: 'Archiviert',
	archive: 'Archivieren',
	restore: 'Wiederherstellen',
	never: 'Nie',
	all: 'Alle',
	filter: 'Filter',
	created: 'Angelegt'
} satisfies typeof en as typeof en;
