import type en from './en';

export default {
	title: 'Wie können wir helfen?',
	intro:
		'Melden Sie einen Fehler, wünschen Sie sich eine Funktion, oder holen Sie sich Hilfe. Sie sehen, was daraus wird, und erfahren von jeder Antwort.',
	types: {
		bug: 'Etwas funktioniert nicht, wie es soll.',
		feature_request: 'Etwas fehlt oder könnte besser sein.',
		support: 'Sie haben eine Frage oder brauchen Hilfe.'
	},
	mine: 'Ihre neuesten Tickets',
	all: 'Alle Ihre Tickets',
	none: 'Sie haben noch keine Tickets.',
	developers: 'Sie entwickeln etwas?',
	developersText:
		'Alles hier geht über eine veröffentlichte API, mit Webhooks und einem Strom von Ereignissen.',
	developersLink: 'Für Entwickler',
	signInText: 'Melden Sie sich an, um Ihre Meldungen zu verfolgen.'
} satisfies typeof en as typeof en;
