import type en from './en';

export default {
	title: 'Anmelden',
	intro: 'Wir schicken Ihnen einen Code per E-Mail. Ein Passwort gibt es nicht.',
	email: 'E-Mail-Adresse',
	send: 'Code zusenden',
	sentTitle: 'Sehen Sie in Ihr Postfach',
	sent: (email: string) =>
		`Wenn sich ${email} hier anmelden darf, ist eine Nachricht mit einem sechsstelligen Code unterwegs. Er gilt 10 Minuten.`,
	code: 'Code',
	verify: 'Anmelden',
	again: 'Neuen Code senden',
	againIn: (seconds: string) => `Neuer Code in ${seconds} s`,
	other: 'Andere Adresse verwenden',
	confirm: 'Sie haben den Link einer Anmeldenachricht geöffnet.',
	confirmAction: (email: string) => `Als ${email} anmelden`,
	badEmail: 'Geben Sie eine E-Mail-Adresse ein, etwa name@example.com.',
	badCode: 'Geben Sie die sechs Ziffern des Codes ein.',
	wrongCode:
		'Dieser Code stimmt nicht oder gilt nicht mehr. Versuchen Sie es noch einmal, folgen Sie dem Link der Nachricht, oder lassen Sie sich einen neuen senden.',
	wrongLink: 'Dieser Link gilt nicht mehr. Lassen Sie sich einen neuen Code senden.',
	closed: 'Neue Personen können sich erst nach einer Einladung anmelden.',
	demo: 'Die Demo ausprobieren als',
	mailbox: 'Die Nachrichten dieser Demo liegen in ihrem Postfach.',
	invitationTitle: 'Sie sind eingeladen',
	invitation: 'Sagen Sie uns, wie Sie heißen, und es geht los.',
	name: 'Ihr Name',
	accept: 'Annehmen und anmelden',
	noInvitation: 'Diese Einladung gilt nicht mehr. Bitten Sie um eine neue.',
	signedIn: (name: string) => `Sie sind als ${name} angemeldet.`,
	goOn: 'Weiter'
} satisfies typeof en as typeof en;
