/** The conversation on a ticket, for its requester and for staff. */
export default {
	title: 'Conversation',
	opened: (name: string) => `${name} opened this ticket`,
	commentBy: (name: string) => `Comment by ${name}`,
	noteBy: (name: string) => `Internal note by ${name}`,
	requester: 'Requester',
	you: 'You',
	internal: 'Internal note',
	edited: 'edited',
	editedAt: (moment: string) => `Edited ${moment}`,
	deleted: 'This comment was deleted.',
	noDescription: 'No description.',
	actions: (name: string) => `Actions for the comment by ${name}`,
	edit: 'Edit',
	delete: 'Delete',
	deleteTitle: 'Delete this comment?',
	deleteText:
		'Its text is gone for good, from the timeline as well. That it was there stays visible.',
	commentDeleted: 'The comment is deleted.',
	commentChanged: 'The comment is changed.',
	text: 'Text',
	changedMeanwhile: 'This was changed meanwhile',
	changedMeanwhileText: 'Your text is still here, and nothing of it was saved.',
	nowReads: 'It now reads:',
	saveMine: 'Save mine instead',
	takeTheirs: 'Take theirs'
};
