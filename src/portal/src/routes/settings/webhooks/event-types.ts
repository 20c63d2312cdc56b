import type { Schemas } from '#lib/api/client.ts';

export type EventType = Schemas['EventType'];

/** The types of events that an endpoint can name, by what they are about; `satisfies` keeps it to the contract. */
export const EVENT_TYPES = {
	ticket: [
		'ticket.created',
		'ticket.updated',
		'ticket.resolved',
		'ticket.reopened',
		'ticket.closed',
		'ticket.escalated',
		'ticket.deleted'
	],
	comment: ['comment.created', 'comment.updated', 'comment.deleted'],
	user: ['user.created', 'user.updated'],
	project: ['project.created', 'project.updated', 'category.created', 'category.updated'],
	token: ['token.created', 'token.revoked'],
	webhook: [
		'webhook.created',
		'webhook.updated',
		'webhook.deleted',
		'webhook.rotated',
		'webhook.pinged',
		'webhook.redelivered',
		'webhook.failing',
		'webhook.disabled'
	],
	job: ['job.retried', 'job.cancelled', 'queue.paused', 'queue.resumed']
} satisfies Record<string, EventType[]>;
