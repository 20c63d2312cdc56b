import { match } from '$app/paths';
import { root } from '#lib/api/client.ts';

/** Pages to which nobody goes on: whoever arrives there has to leave again. */
const BEFORE = new Set<string>(['/sign-in', '/invitation']);

/** Where to go after signing in: a page of this portal, and nowhere else whatever the address says. */
export async function nextPage(
	url: { origin: string; searchParams: { get(name: string): string | null } },
	otherwise: string
): Promise<string> {
	const wanted = url.searchParams.get('next') ?? '';
	// A backslash is a slash to browsers, and two of them begin another host.
	if (!/^\/(?![/\\])/.test(wanted)) return otherwise;
	const found = new URL(wanted, url.origin);
	if (found.origin !== url.origin || !(found.pathname + '/').startsWith(`${root}/`))
		return otherwise;
	// What is no page of the portal is not shown by it, and the visitor would stay here without a word.
	const page = await match(found);
	return page && !BEFORE.has(page.id) ? found.pathname + found.search + found.hash : otherwise;
}
