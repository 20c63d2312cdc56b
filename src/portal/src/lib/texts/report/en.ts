import { plural } from '../language.svelte.ts';

/** The form of a new ticket. */
export default {
	title: 'New ticket',
	type: 'What is it about?',
	types: {
		bug: { title: 'Report a bug', hint: 'Something does not work as it should.' },
		feature_request: {
			title: 'Ask for a feature',
			hint: 'Something is missing, or could be better.'
		},
		support: { title: 'Get help', hint: 'You have a question, or you are stuck.' }
	},
	project: 'Project',
	choose: 'Choose …',
	projectLast: 'One thing is missing: choose a project, then send it.',
	projectMissing: 'Choose a project.',
	category: 'Category',
	noCategory: 'I do not know',
	severity: 'How bad is it?',
	severities: {
		none: 'I cannot say',
		low: 'Low: a flaw that hardly disturbs',
		medium: 'Medium: annoying, but there is a way around it',
		high: 'High: something important does not work',
		critical: 'Critical: nothing works, or data is lost'
	},
	ticketTitle: 'Title',
	titleHint: 'In one line, what is it?',
	titleMissing: 'Give it a title.',
	description: {
		bug: 'What happens, and what did you expect?',
		feature_request: 'What would you like to do, and why?',
		support: 'What is your question?'
	},
	optional: 'optional',
	environment: 'About your system',
	environmentHint: 'It is sent along and helps to find the cause. Change or remove what you like.',
	environmentCount: (count: number) => plural(count, { one: '# entry', other: '# entries' }),
	factName: 'Name',
	factValue: (name: string) => `Value of ${name}`,
	newFactValue: 'Value',
	removeFact: (name: string) => `Remove ${name}`,
	addFact: 'Add an entry',
	send: 'Send',
	signInAndSend: 'Sign in and send',
	visitor: 'You sign in before it is sent. What you type is kept.',
	sent: (number: number) => `Ticket #${number} is open.`,
	notSent: 'It was not sent. What you typed is kept: send it again in a moment.',
	draftRestored: 'Your draft is back.',
	draftKept: 'Draft kept in this browser',
	discard: 'Discard draft',
	discarded: 'The draft is gone.',
	sentBeforeTitle: 'This was sent before',
	sentBefore: 'An earlier text of this form has become a ticket already.',
	toMine: 'See my tickets',
	sendAnyway: 'Send as another ticket',
	noProjectsTitle: 'Nothing takes tickets yet',
	noProjects: 'No project that you can see takes new tickets. Ask whoever runs this service.'
};
