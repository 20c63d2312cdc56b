/** What is asked before a form that was changed is left. */
export default {
	title: 'Leave without saving?',
	text: 'What you changed here is not saved yet, and would be lost.',
	leave: 'Leave'
};
