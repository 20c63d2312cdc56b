import type { QueryClient } from '@tanstack/svelte-query';
import { createParser } from 'eventsource-parser';
import { api, got, type Event } from '#lib/api/client.ts';
import { passing } from '#lib/api/problem.ts';

/** How often to look for changes while no stream comes through, such as behind a proxy that buffers. */
const POLL_MS = 5000;
const SILENCE_MS = 45_000;
const REOPEN_MS = 3000;

/** Whether changes by others arrive as they happen. */
export const live = $state<{ status: 'off' | 'live' | 'polling' }>({ status: 'off' });

/** Who wants each event itself, as soon as it is heard; `everything` if some may have been missed. */
export const listeners = new Set<(heard: Event | 'everything') => void>();

/** What a change makes stale; pages read it again by the API, so a stream shows nothing that they may not see. */
function stale(client: QueryClient, event: Event): void {
	listeners.forEach((listener) => listener(event));
	if (event.ticket_number != null) {
		void client.invalidateQueries({ queryKey: ['ticket', event.ticket_number] });
		if (event.type.startsWith('ticket.')) void client.invalidateQueries({ queryKey: ['tickets'] });
	}
	const noun = event.type.split('.')[0];
	if (noun !== 'ticket' && noun !== 'comment') void client.invalidateQueries({ queryKey: [noun] });
	void client.invalidateQueries({ queryKey: ['events'] });
}

/**
 * Follow the event stream, as the user of the session.
 *
 * Over HTTP/1.1 a browser opens six connections to a host, so a stream per tab would stall the seventh tab. One tab
 * holds a Web Lock and keeps the stream; the others hear of events through a BroadcastChannel. When it closes, the next
 * one takes the lock.
 */
export function follow(client: QueryClient): () => void {
	const channel = new BroadcastChannel('ticketing.events');
	const stopped = new AbortController();
	channel.onmessage = ({ data }: MessageEvent<Event | 'everything'>) => {
		live.status = 'live';
		if (data === 'everything') all();
		else stale(client, data);
	};
	const all = () => {
		listeners.forEach((listener) => listener('everything'));
		void client.invalidateQueries();
	};
	const tell = (event: Event) => {
		stale(client, event);
		channel.postMessage(event);
	};
	const everything = () => {
		all();
		channel.postMessage('everything');
	};
	navigator.locks
		.request('ticketing.events', { signal: stopped.signal }, () =>
			lead(stopped.signal, tell, everything)
		)
		.catch(() => {
			// Stopped before it was this tab's turn.
		});
	return () => {
		stopped.abort();
		channel.close();
		live.status = 'off';
	};
}

async function lead(
	signal: AbortSignal,
	tell: (event: Event) => void,
	everything: () => void
): Promise<void> {
	let cursor = await end(signal);
	while (!signal.aborted) {
		cursor = await stream(cursor, signal, tell);
		if (signal.aborted) return;
		live.status = 'polling';
		const until = Date.now() + REOPEN_MS;
		do {
			cursor = await poll(cursor, signal, tell, everything);
			await new Promise((done) => setTimeout(done, POLL_MS));
		} while (!signal.aborted && Date.now() < until);
	}
}

/** Read the stream until it breaks or falls silent; gives where to go on. */
async function stream(
	cursor: string,
	stopped: AbortSignal,
	tell: (event: Event) => void
): Promise<string> {
	const silent = new AbortController();
	let watch: ReturnType<typeof setTimeout>;
	const heard = () => {
		clearTimeout(watch);
		watch = setTimeout(() => silent.abort(), SILENCE_MS);
	};
	const parser = createParser({
		// The service sends one after every 15 seconds of silence.
		onComment: heard,
		onEvent: ({ id, data }) => {
			cursor = id ?? cursor;
			tell(JSON.parse(data) as Event);
		}
	});
	heard();
	try {
		const { response } = await api.GET('/events/stream', {
			params: { query: { cursor } },
			parseAs: 'stream',
			signal: AbortSignal.any([stopped, silent.signal])
		});
		live.status = 'live';
		const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
		for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
			heard();
			parser.feed(value!);
		}
	} catch {
		// It broke, was refused, or fell silent: what follows is asked for.
	} finally {
		clearTimeout(watch!);
		silent.abort();
	}
	return cursor;
}

/** A cursor from now on, as soon as the service gives one. */
async function end(signal: AbortSignal): Promise<string> {
	for (;;) {
		try {
			return got(await api.GET('/events', { params: { query: { start: 'end' } }, signal })).next;
		} catch (error) {
			if (signal.aborted || !passing(error)) throw error;
			await new Promise((done) => setTimeout(done, POLL_MS));
		}
	}
}

async function poll(
	cursor: string,
	signal: AbortSignal,
	tell: (event: Event) => void,
	everything: () => void
): Promise<string> {
	try {
		const page = got(await api.GET('/events', { params: { query: { cursor } }, signal }));
		page.items.forEach(tell);
		return page.next;
	} catch (error) {
		if (error instanceof Error && 'status' in error && error.status === 410) {
			// The rights have changed, or the log went back: everything is read anew.
			everything();
			return await end(signal);
		}
		return cursor;
	}
}
