import { resolve } from '$app/paths';
import createClient, { type Middleware } from 'openapi-fetch';
import type { paths as OpsPaths, components as OpsComponents } from './ops-schema';
import { reach } from '#lib/state/reach.svelte.ts';
import { AWAY, Unreachable, problemOf } from './problem';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];
export type OpsSchemas = OpsComponents['schemas'];
export type Ticket = Schemas['Ticket'];
export type Comment = Schemas['Comment'];
export type User = Schemas['User'];
export type Event = Schemas['Event'];

/** What the clients need of the session; it tells them here, so that neither imports the other. */
export const signing = {
	csrfToken: '' as string,
	/** A request was refused because nobody is signed in any more. */
	lost: () => {},
	/** Another token against forgery may hold by now, such as after signing in from another tab. */
	renew: async (): Promise<boolean> => false
};

const SAFE = new Set(['GET', 'HEAD']);
/** How often a request that only reads is tried, and how long each pause is at most. */
const TRIES = 3;
const LONGEST_PAUSE_SECONDS = 5;

/** For what is asked again anyway: it fails at once. */
export const once = (request: Request): Promise<Response> => ask(request, 1);

async function ask(request: Request, tries = TRIES): Promise<Response> {
	const safe = SAFE.has(request.method);
	// With its key, a POST is done once however often it is sent (RFC draft idempotency-key-header).
	const repeatable = safe || request.headers.has('Idempotency-Key');
	for (let tried = 1; ; tried++) {
		let response: Response;
		try {
			response = await fetch(signed(request.clone()));
		} catch (error) {
			if (request.signal.aborted) throw error;
			reach.lost = true;
			if (repeatable && tried < tries && navigator.onLine) {
				await pause(tried * 0.4);
				continue;
			}
			throw new Unreachable();
		}
		const away = AWAY.has(response.status);
		reach.lost = away;
		// 409: the first request with the key is still being answered.
		if (repeatable && tried < tries && (away || (await running(response)))) {
			await pause(Number(response.headers.get('Retry-After')) || tried);
			continue;
		}
		if (response.status === 403 && !safe && tried === 1 && (await forged(response))) {
			if (await signing.renew()) continue;
		}
		return response;
	}
}

function signed(request: Request): Request {
	if (!SAFE.has(request.method)) request.headers.set('X-CSRF-Token', signing.csrfToken);
	return request;
}

async function forged(response: Response): Promise<boolean> {
	return (await problemOf(response)).problem.code === 'csrf_token_invalid';
}

async function running(response: Response): Promise<boolean> {
	if (response.status !== 409) return false;
	return (await problemOf(response)).problem.code === 'idempotency_key_in_flight';
}

function pause(seconds: number): Promise<void> {
	return new Promise((done) => setTimeout(done, Math.min(seconds, LONGEST_PAUSE_SECONDS) * 1000));
}

const raising: Middleware = {
	async onResponse({ response }) {
		if (response.ok || response.status === 304) return;
		if (response.status === 401) signing.lost();
		throw await problemOf(response);
	}
};

/** Where the service is seen, without a slash at the end: proxies may serve it below a path. */
export const root = resolve('/').replace(/\/$/, '');

export const api = createClient<paths>({ baseUrl: `${root}/api/v1`, fetch: ask });
export const ops = createClient<OpsPaths>({ baseUrl: `${root}/ops/v1`, fetch: ask });
api.use(raising);
ops.use(raising);

/** A key for one thing to be done, however often it is sent. */
export function onceKey(): { 'Idempotency-Key': string } {
	return { 'Idempotency-Key': crypto.randomUUID() };
}

/** What an answer has; the middleware has thrown if there is none. */
export function got<T>(answer: { data?: T }): T {
	return answer.data as T;
}
