import type en from './en';

export default {
	placeholder: 'Ticket nach Nummer oder Wörtern, Ansicht, Befehl …',
	tickets: 'Tickets',
	commands: 'Befehle',
	nothing: (text: string) => `Zu „${text}“ wurde nichts gefunden.`
} satisfies typeof en as typeof en;
