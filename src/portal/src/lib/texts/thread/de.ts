import type en from './en';

export default {
	title: 'Verlauf',
	left: 'Hier fehlt ein Teil des Gesprächs.',
	more: 'Mehr anzeigen',
	opened: (name: string) => `${name} hat dieses Ticket eröffnet`,
	commentBy: (name: string) => `Kommentar von ${name}`,
	noteBy: (name: string) => `Interne Notiz von ${name}`,
	requester: 'Anfragende Person',
	you: 'Sie',
	internal: 'Interne Notiz',
	edited: 'bearbeitet',
	editedAt: (moment: string) => `Bearbeitet ${moment}`,
	deleted: 'Dieser Kommentar wurde gelöscht.',
	noDescription: 'Keine Beschreibung.',
	actions: (name: string) => `Aktionen für den Kommentar von ${name}`,
	edit: 'Bearbeiten',
	delete: 'Löschen',
	deleteTitle: 'Diesen Kommentar löschen?',
	deleteText:
		'Sein Text verschwindet für immer, auch aus dem Verlauf. Dass er da war, bleibt sichtbar.',
	commentDeleted: 'Der Kommentar ist gelöscht.',
	commentChanged: 'Der Kommentar ist geändert.',
	text: 'Text',
	changedMeanwhile: 'Das wurde inzwischen geändert',
	changedMeanwhileText: 'Ihr Text ist noch da, und nichts davon wurde gespeichert.',
	nowReads: 'Jetzt steht da:',
	saveMine: 'Stattdessen meinen Text speichern',
	takeTheirs: 'Den anderen Text übernehmen'
} satisfies typeof en as typeof en;
