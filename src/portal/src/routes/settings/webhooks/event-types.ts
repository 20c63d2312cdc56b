import type { Schemas } from '#lib/api/client.ts';

export type EventType = Schemas['EventType'];

const BY_FAMILY = {
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
	token: ['token.created', 'token.revoked', 'session.created', 'session.ended'],
	invitation: [
		'invitation.created',
		'invitation.resent',
		'invitation.accepted',
		'invitation.revoked'
	],
	view: ['view.created', 'view.updated', 'view.deleted'],
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
} as const satisfies Record<string, readonly EventType[]>;

type Missing = Exclude<EventType, (typeof BY_FAMILY)[keyof typeof BY_FAMILY][number]>;
/** The types of events that an endpoint can name, by what they are about: all that the contract has. */
export const EVENT_TYPES: [Missing] extends [never]
	? Record<string, readonly EventType[]>
	: Missing = BY_FAMILY;
