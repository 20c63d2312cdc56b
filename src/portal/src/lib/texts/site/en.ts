export default {
	title: 'How can we help?',
	intro:
		'Report a bug, ask for a feature, or get support. You see what becomes of it, and are told of every answer.',
	types: {
		bug: 'Something does not work as it should.',
		feature_request: 'Something is missing, or could be better.',
		support: 'You have a question, or need a hand.'
	},
	mine: 'Your latest tickets',
	all: 'All your tickets',
	none: 'You have no tickets yet.',
	developers: 'Building something?',
	developersText:
		'Everything here works through a published API, with webhooks and an event stream.',
	developersLink: 'For developers',
	signInText: 'Sign in to follow what you have reported.'
};
