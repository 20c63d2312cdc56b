import type { QueryClient } from '@tanstack/svelte-query';
import { api, type Schemas, type Ticket } from '#lib/api/client.ts';
import { ticketQuery } from '#lib/api/queries.ts';

/** Change a ticket's status: at once on the screen, and back again if the service refuses. */
export async function moved(
	client: QueryClient,
	ticket: Ticket,
	patch: Pick<Schemas['TicketPatch'], 'resolution_note'> & { status: Ticket['status'] }
): Promise<void> {
	const { queryKey } = ticketQuery(ticket.number);
	await client.cancelQueries({ queryKey, exact: true });
	client.setQueryData(queryKey, { ...ticket, status: patch.status });
	try {
		await api.PATCH('/tickets/{number}', {
			params: { path: { number: ticket.number } },
			body: patch
		});
	} catch (error) {
		client.setQueryData(queryKey, ticket);
		throw error;
	} finally {
		void client.invalidateQueries({ queryKey });
		void client.invalidateQueries({ queryKey: ['tickets'] });
	}
}
