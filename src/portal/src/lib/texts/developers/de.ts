import type en from './en';

export default {
	title: 'Darauf aufbauen',
	intro:
		'Alles in diesem Portal geht über eine veröffentlichte API. Ihr Vertrag wird bei jeder Änderung geprüft: Was er sagt, stimmt.',
	contract: (version: string, release: string) => `Vertrag ${version}, Version ${release}`,
	quickstart: 'Schnellstart',
	quickstartText: 'In einer Minute ein Ticket von der Kommandozeile eröffnen.',
	token: 'Ein Token für diese Befehle erstellen',
	tokenText: 'Es darf als Sie Tickets lesen und schreiben und endet nach einem Tag.',
	tokenMade: 'Die Befehle unten enthalten Ihr Token. Es wird nur jetzt angezeigt.',
	tokenName: 'Schnellstart',
	signIn: 'Melden Sie sich an, um Ihr eigenes Token einsetzen zu lassen.',
	guides: 'Anleitungen',
	reference: 'Referenz',
	downloads: 'Downloads',
	guide: {
		quickstart: ['Schnellstart', 'Ein erstes Ticket mit curl und mit einem Programm.'],
		authentication: ['Authentifizierung', 'Tokens, Scopes, Sitzungen und deren Wechsel.'],
		texts: ['Texte', 'Markdown, und das HTML, das der Dienst daraus macht.'],
		errors: ['Fehler', 'Was ein Programm tut, wenn eine Anfrage abgelehnt wird.'],
		paging: ['Blättern', 'Listen bis zum Ende lesen, jedes Element einmal.'],
		queries: ['Abfragen', 'Die Sprache, die Tickets findet, und was ihre Fehler sagen.'],
		concurrency: ['Nebenläufigkeit', 'Versionen, Idempotenzschlüssel, sicheres Schreiben.'],
		sync: ['Abgleich', 'Eine Kopie mit Feed und Strom aktuell halten.'],
		webhooks: ['Webhooks', 'Nachrichten empfangen und prüfen, in vier Sprachen.'],
		import: ['Import', 'Tickets aus anderen Systemen übernehmen.'],
		clients: ['SDKs', 'Einen Client in Python, TypeScript, Java oder Go erzeugen.'],
		'consumer-tests': ['Programme testen', 'Mocks, Proxys und Vertragstests in Ihrer CI.'],
		compatibility: ['Kompatibilität', 'Was wachsen darf, was nie bricht, wie etwas endet.'],
		changelog: ['Änderungen', 'Was der Vertrag geändert hat, Version für Version.']
	},
	pages: {
		api: ['API-Referenz', 'Jede Operation, mit Code in vier Sprachen.'],
		operations: ['Betriebs-Referenz', 'Jobs, Warteschlangen, Zeitpläne und E-Mail.'],
		try: ['Ausprobieren', 'Anfragen aus dem Browser senden.'],
		problems: ['Fehlerkatalog', 'Jede Art von Fehler, und was zu tun ist.']
	},
	files: {
		yaml: 'OpenAPI 3.1 (YAML)',
		json: 'OpenAPI 3.1 (JSON)',
		collection: 'Sammlung für Postman und Bruno'
	}
} satisfies typeof en as typeof en;
