import type en from './en';

export default {
	new: 'Neues Projekt',
	intro:
		'Ein Projekt ist ein Produkt, um das es in Tickets geht. Seine Kategorien sind dessen Teile.',
	none: 'Noch keine Projekte',
	noneText: 'Tickets gehören zu einem Projekt: Legen Sie das erste an.',
	visibility: 'Wer es sieht',
	public: 'Alle mit einem Konto',
	private: 'Nur Agenten und Administratoren',
	types: 'Arten von Tickets, die es annimmt',
	language: 'Sprache der Tickets',
	languageHint: 'Die Suche findet die Wörter der Tickets in allen ihren Formen.',
	otherLanguage: 'Eine andere Sprache',
	categories: 'Kategorien',
	newCategory: 'Neue Kategorie',
	noCategories: 'Noch keine Kategorien. Sie helfen, Tickets zuzuordnen und zu finden.',
	added: (name: string) => `${name} wurde hinzugefügt.`,
	archiveTitle: (name: string) => `${name} archivieren?`,
	archiveCategoryText:
		'In eine archivierte Kategorie kommt kein Ticket mehr. Die darin sind, bleiben, und Sie können sie wiederherstellen.',
	archiveText:
		'Ein archiviertes Projekt nimmt keine neuen Tickets an. Seine Tickets bleiben, und Sie können es wiederherstellen.'
} satisfies typeof en as typeof en;
