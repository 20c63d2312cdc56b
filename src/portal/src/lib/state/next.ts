import { root } from '#lib/api/client.ts';

/** Where to go after signing in: a page of this portal, and nowhere else whatever the address says. */
export function nextPage(
	url: { origin: string; searchParams: { get(name: string): string | null } },
	otherwise: string
): string {
	const wanted = url.searchParams.get('next') ?? '';
	// A backslash is a slash to browsers, and two of them begin another host.
	if (!/^\/(?![/\\])/.test(wanted)) return otherwise;
	const found = new URL(wanted, url.origin);
	const inside = found.origin === url.origin && (found.pathname + '/').startsWith(`${root}/`);
	return inside ? found.pathname + found.search + found.hash : otherwise;
}
