import type en from './en';

export default {
	intro:
		'Anfragende melden und verfolgen, Agenten antworten, Administratoren ändern Einstellungen.',
	search: 'Nach Name oder E-Mail-Adresse suchen',
	invite: 'Jemanden einladen',
	inviteText: 'Sie bekommen eine Nachricht mit einem Link, der einige Tage gilt.',
	email: 'E-Mail-Adresse',
	role: 'Rolle',
	everyRole: 'Jede Rolle',
	sendInvitation: 'Einladung senden',
	invited: (email: string) => `${email} wurde eingeladen.`,
	invitations: 'Einladungen',
	sendAgain: 'Noch einmal senden',
	sentAgain: 'Die Einladung wurde noch einmal gesendet.',
	revoke: 'Widerrufen',
	revokeInvitationTitle: (email: string) => `Die Einladung von ${email} widerrufen?`,
	revokeInvitationText: 'Der Link aus der Einladung gilt dann nicht mehr.',
	invitationRevoked: 'Die Einladung ist widerrufen.',
	none: 'Niemand da',
	noneText: 'Kein Konto hat diesen Namen, diese Adresse oder Rolle.',
	active: 'Aktiv',
	inactive: 'Deaktiviert',
	deactivate: 'Deaktivieren',
	deactivateTitle: (name: string) => `${name} deaktivieren?`,
	deactivateText:
		'Die Person wird sofort überall abgemeldet, und ihre Tokens gelten nicht mehr. Wird sie wieder aktiviert, muss sie sich neu anmelden.',
	activate: 'Wieder aktivieren',
	since: 'Konto seit',
	tickets: 'Ihre Tickets',
	machinesIntro: 'Programme, die die API benutzen. Sie haben Tokens und sonst nichts.',
	newMachine: 'Neues Dienstkonto',
	noMachines: 'Noch keine Dienstkonten',
	noMachinesText:
		'Legen Sie für jedes Programm eines an; so lassen sich seine Tokens einzeln widerrufen.',
	tokens: 'Tokens',
	newToken: 'Neues Token',
	noTokens: 'Noch keine Tokens.',
	scopes: 'Was es darf',
	scope: {
		'tickets:read': 'Tickets lesen',
		'tickets:write': 'Tickets schreiben',
		admin: 'Einstellungen ändern'
	},
	expires: 'Endet',
	expiresIn: { 30: 'in 30 Tagen', 90: 'in 90 Tagen', 365: 'in einem Jahr', 0: 'nie' },
	lastUsed: 'Zuletzt benutzt',
	revoked: 'Widerrufen',
	expired: 'Beendet',
	revokeText: 'Programme mit diesem Token werden ab jetzt abgewiesen.',
	shownOnce: 'Das wird nur jetzt angezeigt. Bewahren Sie es dort auf, wo Ihr Programm es findet.',
	done: 'Ich habe es aufbewahrt'
} satisfies typeof en as typeof en;
