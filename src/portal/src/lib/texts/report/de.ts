import { plural } from '../language.svelte.ts';
import type en from './en';

export default {
	title: 'Neues Ticket',
	type: 'Worum geht es?',
	types: {
		bug: { title: 'Fehler melden', hint: 'Etwas funktioniert nicht, wie es soll.' },
		feature_request: {
			title: 'Funktion wünschen',
			hint: 'Etwas fehlt oder könnte besser sein.'
		},
		support: { title: 'Hilfe holen', hint: 'Sie haben eine Frage oder kommen nicht weiter.' }
	},
	project: 'Projekt',
	choose: 'Wählen …',
	projectLast: 'Eines fehlt noch: Wählen Sie ein Projekt, und senden Sie es dann.',
	projectMissing: 'Wählen Sie ein Projekt.',
	category: 'Kategorie',
	noCategory: 'Weiß ich nicht',
	severity: 'Wie schlimm ist es?',
	severities: {
		none: 'Kann ich nicht sagen',
		low: 'Gering: ein Schönheitsfehler, der kaum stört',
		medium: 'Mittel: ärgerlich, aber man kommt darum herum',
		high: 'Hoch: etwas Wichtiges funktioniert nicht',
		critical: 'Kritisch: nichts geht mehr, oder Daten gehen verloren'
	},
	ticketTitle: 'Titel',
	titleHint: 'In einer Zeile: Was ist es?',
	titleMissing: 'Geben Sie ihm einen Titel.',
	description: {
		bug: 'Was passiert, und was haben Sie erwartet?',
		feature_request: 'Was möchten Sie tun, und warum?',
		support: 'Was ist Ihre Frage?'
	},
	optional: 'freiwillig',
	environment: 'Über Ihr System',
	environmentHint:
		'Das wird mitgesendet und hilft, die Ursache zu finden. Ändern oder entfernen Sie, was Sie mögen.',
	environmentCount: (count: number) => plural(count, { one: '# Angabe', other: '# Angaben' }),
	factName: 'Name',
	factValue: (name: string) => `Wert von ${name}`,
	newFactValue: 'Wert',
	removeFact: (name: string) => `${name} entfernen`,
	addFact: 'Angabe hinzufügen',
	send: 'Senden',
	signInAndSend: 'Anmelden und senden',
	visitor: 'Vor dem Senden melden Sie sich an. Was Sie schreiben, bleibt erhalten.',
	sent: (number: number) => `Ticket #${number} ist eröffnet.`,
	notSent:
		'Es wurde nicht gesendet. Was Sie geschrieben haben, ist noch da: Senden Sie es gleich noch einmal.',
	draftRestored: 'Ihr Entwurf ist wieder da.',
	draftKept: 'Entwurf in diesem Browser aufbewahrt',
	discard: 'Entwurf verwerfen',
	discarded: 'Der Entwurf ist weg.',
	sentBeforeTitle: 'Das wurde schon gesendet',
	sentBefore: 'Aus einem früheren Text dieses Formulars ist bereits ein Ticket geworden.',
	toMine: 'Meine Tickets ansehen',
	sendAnyway: 'Als weiteres Ticket senden',
	noProjectsTitle: 'Noch nimmt nichts Tickets an',
	noProjects:
		'Kein Projekt, das Sie sehen, nimmt neue Tickets an. Fragen Sie, wer diesen Dienst betreibt.'
} satisfies typeof en as typeof en;
