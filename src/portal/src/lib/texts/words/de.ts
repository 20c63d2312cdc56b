import type en from './en';

export default {
	type: { bug: 'Fehlerbericht', feature_request: 'Funktionswunsch', support: 'Supportanfrage' },
	status: {
		open: 'Offen',
		in_progress: 'In Arbeit',
		pending: 'Wartet auf Anfragende',
		resolved: 'Gelöst',
		closed: 'Geschlossen'
	},
	ownStatus: {
		open: 'Offen',
		in_progress: 'In Arbeit',
		pending: 'Wartet auf Sie',
		resolved: 'Gelöst',
		closed: 'Geschlossen'
	},
	priority: { urgent: 'Dringend', high: 'Hoch', normal: 'Normal', low: 'Niedrig' },
	severity: { critical: 'Kritisch', high: 'Hoch', medium: 'Mittel', low: 'Gering', none: 'Keiner' },
	resolution: {
		none: 'Keine',
		fixed: 'Behoben',
		shipped: 'Ausgeliefert',
		answered: 'Beantwortet',
		duplicate: 'Duplikat',
		wont_fix: 'Wird nicht umgesetzt',
		cannot_reproduce: 'Nicht nachstellbar',
		invalid: 'Ungültig',
		spam: 'Spam',
		withdrawn: 'Zurückgezogen'
	},
	channel: { portal: 'Portal', email: 'E-Mail', api: 'API', github: 'GitHub', import: 'Import' },
	role: { requester: 'Anfragende', agent: 'Agent', admin: 'Administrator' },
	visibility: { public: 'Öffentlich', private: 'Privat', internal: 'Intern' },
	field: {
		type: 'Art',
		status: 'Status',
		priority: 'Priorität',
		severity: 'Schweregrad',
		project: 'Projekt',
		category: 'Kategorie',
		assignee: 'Zuständig',
		requester: 'Anfrage von',
		resolution: 'Lösung',
		resolution_note: 'Anmerkung zur Lösung',
		tags: 'Tags',
		title: 'Titel',
		description: 'Beschreibung',
		environment: 'Umgebung',
		channel: 'Eingegangen über',
		created_at: 'Eröffnet',
		updated_at: 'Geändert'
	},
	nobody: 'Niemand'
} satisfies typeof en as typeof en;
