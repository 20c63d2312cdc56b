/** The values of the contract in words: nobody sees `in_progress` or `wont_fix`. */
export default {
	type: { bug: 'Bug report', feature_request: 'Feature request', support: 'Support request' },
	status: {
		open: 'Open',
		in_progress: 'In progress',
		pending: 'Waiting for requester',
		resolved: 'Resolved',
		closed: 'Closed'
	},
	/** What a status means to the requester. */
	ownStatus: {
		open: 'Open',
		in_progress: 'In progress',
		pending: 'Waiting for you',
		resolved: 'Resolved',
		closed: 'Closed'
	},
	priority: { urgent: 'Urgent', high: 'High', normal: 'Normal', low: 'Low' },
	severity: { critical: 'Critical', high: 'High', medium: 'Medium', low: 'Low', none: 'None' },
	resolution: {
		none: 'None',
		fixed: 'Fixed',
		shipped: 'Shipped',
		answered: 'Answered',
		duplicate: 'Duplicate',
		wont_fix: 'Won’t be done',
		cannot_reproduce: 'Cannot be reproduced',
		invalid: 'Invalid',
		spam: 'Spam',
		withdrawn: 'Withdrawn by requester'
	},
	channel: { portal: 'Portal', email: 'E-mail', api: 'API', github: 'GitHub', import: 'Import' },
	role: { requester: 'Requester', agent: 'Agent', admin: 'Admin' },
	visibility: { public: 'Public', private: 'Private', internal: 'Internal' },
	field: {
		type: 'Type',
		status: 'Status',
		priority: 'Priority',
		severity: 'Severity',
		project: 'Project',
		category: 'Category',
		assignee: 'Assignee',
		requester: 'Requester',
		resolution: 'Resolution',
		resolution_note: 'Note on the resolution',
		tags: 'Tags',
		title: 'Title',
		description: 'Description',
		environment: 'Environment',
		channel: 'Came in by',
		created_at: 'Opened',
		updated_at: 'Updated'
	},
	nobody: 'Nobody'
};
