export default {
	new: 'New project',
	intro: 'A project is a product that tickets are about. Its categories are the parts of it.',
	none: 'No projects yet',
	noneText: 'Tickets belong to a project: make the first one.',
	visibility: 'Who sees it',
	public: 'Everyone with an account',
	private: 'Only agents and admins',
	types: 'Types of ticket that it takes',
	language: 'Language of its tickets',
	languageHint: 'Search finds the words of tickets in all their forms.',
	otherLanguage: 'Another language',
	categories: 'Categories',
	newCategory: 'New category',
	noCategories: 'No categories yet. They help to route tickets, and to find them.',
	added: (name: string) => `${name} was added.`,
	archiveTitle: (name: string) => `Archive ${name}?`,
	archiveCategoryText:
		'No ticket can be put into an archived category. Those that are in it stay there, and you can restore it.',
	archiveText: 'An archived project takes no new tickets. Its tickets stay, and you can restore it.'
};
