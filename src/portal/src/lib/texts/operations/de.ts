import type en from './en';

export default {
	jobs: {
		intro:
			'Arbeit, die der Dienst im Hintergrund tut. Was scheitert, wird wieder versucht; was alle Versuche verbraucht hat, wartet hier.',
		none: 'Keine Jobs',
		noneText: 'Gerade hat keiner diesen Status.',
		every: 'Jeder Status',
		status: {
			available: 'Wartet',
			running: 'Läuft',
			completed: 'Erledigt',
			cancelled: 'Abgebrochen',
			discarded: 'Gescheitert'
		},
		retry: 'Noch einmal versuchen',
		retried: 'Der Job wird mit allen Versuchen noch einmal versucht.',
		cancel: 'Abbrechen',
		cancelTitle: 'Diesen Job abbrechen?',
		cancelText: 'Was er tun sollte, wird nicht getan. Sie können ihn später noch einmal versuchen.',
		keep: 'Behalten',
		cancelled: 'Der Job ist abgebrochen.',
		attempt: (now: string, most: string) => `Versuch ${now} von ${most}`,
		queue: 'Warteschlange',
		due: 'Fällig',
		started: 'Zuletzt begonnen',
		finished: 'Beendet',
		args: 'Argumente',
		errors: 'Fehler seiner Versuche',
		noErrors: 'Kein Versuch ist gescheitert.'
	},
	queues: {
		intro: 'Eine pausierte Warteschlange behält ihre Jobs; keiner davon beginnt.',
		running: 'Laufen',
		due: 'Fällig',
		scheduled: 'Später',
		waiting: 'Ältester wartet',
		seconds: (count: string) => `${count} s`,
		paused: 'Pausiert',
		pause: 'Pausieren',
		pauseTitle: (name: string) => `${name} pausieren?`,
		pauseText:
			'Keiner ihrer Jobs beginnt, bis Sie sie fortsetzen: zum Beispiel werden keine Mails gesendet oder Webhooks zugestellt.',
		resume: 'Fortsetzen',
		schedules: 'Zeitpläne',
		cron: 'Wann (Cron, UTC)',
		next: 'Nächster',
		last: 'Letzter'
	},
	events: {
		intro: 'Wer was getan hat, das Neueste zuerst. Nichts fehlt, und niemand kann es ändern.',
		none: 'Keine Ereignisse',
		noneText: 'Nichts, was zu diesen Filtern passt, wurde festgehalten.',
		type: 'Art',
		every: 'Jede Art',
		ticket: 'Ticketnummer',
		actor: 'Von',
		anybody: 'Allen',
		system: 'Der Dienst',
		data: 'Inhalt'
	},
	mail: {
		intro:
			'Nachrichten an Personen. Ohne Mailserver werden sie hier aufbewahrt, statt gesendet zu werden.',
		none: 'Noch keine Nachrichten',
		noneText: 'Anmeldecodes, Einladungen und Benachrichtigungen erscheinen hier.',
		status: { captured: 'Aufbewahrt', queued: 'Wartet', sent: 'Gesendet', failed: 'Gescheitert' },
		to: 'An',
		erased: 'Der Text einer Nachricht wird gelöscht, sobald sie gesendet ist.'
	},
	health: {
		intro: 'Was der Befehl „ticketing doctor“ über diese Installation sagt.',
		status: { ok: 'In Ordnung', warning: 'Ansehen', failed: 'Defekt' },
		again: 'Noch einmal prüfen',
		good: 'Alles ist in Ordnung.'
	}
} satisfies typeof en as typeof en;
