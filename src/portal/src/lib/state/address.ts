import { goto } from '$app/navigation';
import { page } from '$app/state';

/** Write values into the query of the address, where a page keeps its state; an empty one is taken away. */
export function show(changed: Record<string, string>): Promise<void> {
	const url = new URL(page.url.href);
	for (const [name, value] of Object.entries(changed)) {
		if (value) url.searchParams.set(name, value);
		else url.searchParams.delete(name);
	}
	return goto(url, { replace: true, reset: false });
}

/** A value of the query of the address. */
export function shown(name: string): string {
	return page.url.searchParams.get(name) ?? '';
}
