import { appearance } from '#lib/state/appearance.svelte.ts';
import { session } from '#lib/state/session.svelte.ts';

// A client of the published API: every page is made in the browser.
export const ssr = false;
export const trailingSlash = 'never';

let started: Promise<unknown> | undefined;

/** Before anything is shown: the language, and who is signed in. */
export async function load(): Promise<void> {
	started ??= Promise.all([appearance.start(), session.start()]);
	await started;
}
