export default {
	placeholder: 'A ticket by number or title, or a command …',
	tickets: 'Tickets',
	commands: 'Commands',
	nothing: (text: string) => `Nothing was found for “${text}”.`
};
