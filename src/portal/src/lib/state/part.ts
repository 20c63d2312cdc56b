/** There is no network, so a part was not asked for. */
class Offline extends Error {}

/**
 * A part of the page that is not there yet. Browsers remember for good that a module did not come: without a network it
 * is not even asked for, so that it can be later.
 */
export async function part<T>(load: () => Promise<T>): Promise<T> {
	if (!navigator.onLine) throw new Offline();
	return load();
}

/** What to do when somebody tries again: ask again, or load the page anew, if the browser has given the part up. */
export function again(error: unknown, ask: () => void): () => void {
	return error instanceof Offline ? ask : () => location.reload();
}
