import type en from './en';

export default {
	write: 'Schreiben',
	preview: 'Vorschau',
	nothing: 'Noch nichts da für eine Vorschau.',
	hint: 'Markdown funktioniert hier.',
	bold: 'Fett',
	italic: 'Kursiv',
	link: 'Link',
	code: 'Code',
	list: 'Liste',
	quote: 'Zitat',
	failed: 'Die Vorschau ist gerade nicht möglich.'
} satisfies typeof en as typeof en;
