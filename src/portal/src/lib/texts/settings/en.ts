export default {
	title: 'Settings',
	forbidden: 'Only admins change settings.',
	groups: {
		product: 'Product',
		people: 'People',
		integrations: 'Integrations',
		operations: 'Operations'
	},
	pages: {
		projects: 'Projects',
		people: 'People',
		machines: 'Service accounts',
		webhooks: 'Webhooks',
		jobs: 'Jobs',
		queues: 'Queues and schedules',
		events: 'Event log',
		mail: 'Mail',
		health: 'Health'
	},
	add: 'Add',
	edit: 'Edit',
	remove: 'Remove',
	name: 'Name',
	key: 'Key',
	keyHint: 'For addresses; it never changes. Small letters, digits and hyphens.',
	description: 'Description',
	optional: 'optional',
	archived: 'Archived',
	archive: 'Archive',
	restore: 'Restore',
	never: 'Never',
	all: 'All',
	filter: 'Filter',
	created: 'Created'
};
