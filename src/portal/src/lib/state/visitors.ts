import { redirect } from '@sveltejs/kit';
import { resolve } from '$app/paths';
import { session } from './session.svelte.ts';

/** For the `load` of a page that is for those who are signed in: others sign in first, and come back to it. */
export function signInFirst(url: URL): void {
	if (session.user || session.waiting) return;
	redirect(307, `${resolve('/sign-in')}?next=${encodeURIComponent(url.pathname + url.search)}`);
}
