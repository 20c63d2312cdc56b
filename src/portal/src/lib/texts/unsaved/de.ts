import type en from './en';

export default {
	title: 'Ohne Speichern verlassen?',
	text: 'Was Sie hier geändert haben, ist noch nicht gespeichert und ginge verloren.',
	leave: 'Verlassen'
} satisfies typeof en as typeof en;
