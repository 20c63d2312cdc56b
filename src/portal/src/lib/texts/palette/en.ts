export default {
	placeholder: 'A ticket by number or words, a view, a command …',
	tickets: 'Tickets',
	commands: 'Commands',
	nothing: (text: string) => `Nothing was found for “${text}”.`
};
