import type en from './en';

export default {
	title: 'Profil',
	text: 'Was der Dienst von Ihnen weiß, und wie er Sie erreicht.',
	you: 'Sie',
	name: 'Name',
	email: 'E-Mail-Adresse',
	emailHint: 'Nur ein Administrator kann sie ändern.',
	language: 'Sprache',
	asBrowser: 'Wie der Browser',
	timeZone: 'Zeitzone',
	asBrowserZone: (zone: string) => `Wie der Browser (${zone})`,
	saved: 'Ihr Profil ist gespeichert.',
	notifications: 'E-Mail',
	notificationsText: 'Senden Sie mir eine Nachricht, wenn …',
	notification: {
		replies: 'jemand auf meine Tickets antwortet',
		resolutions: 'ein Ticket von mir gelöst ist',
		assignments: 'mir ein Ticket zugewiesen wird'
	},
	sessions: 'Wo Sie angemeldet sind',
	sessionsText: 'Beenden Sie, was Sie nicht erkennen.',
	unknownBrowser: 'Unbekannter Browser',
	onPlatform: (browser: string, platform: string) => `${browser} auf ${platform}`,
	thisBrowser: 'Dieser Browser',
	signedIn: 'Angemeldet',
	lastUsed: 'Zuletzt benutzt',
	end: 'Beenden',
	endSession: (name: string) => `Sitzung von ${name} beenden`,
	ended: 'Die Sitzung ist beendet.',
	endOthers: 'Alle anderen beenden',
	endOthersTitle: 'Alle anderen Sitzungen beenden?',
	endOthersText: 'Jeder andere Browser wird abgemeldet. Dieser bleibt.',
	othersEnded: 'Alle anderen Sitzungen sind beendet.'
} satisfies typeof en as typeof en;
