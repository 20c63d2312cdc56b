const KEY = 'ticketing.sending';
/** Signing in by mail takes a while, and not longer. */
const LONGEST_MS = 1_800_000;

/** Remember in this tab that the new ticket is to be sent once somebody has signed in. */
export function intends(): void {
	sessionStorage.setItem(KEY, String(Date.now()));
}

/** Whether it was to be sent; asked once. */
export function intended(): boolean {
	const at = Number(sessionStorage.getItem(KEY));
	sessionStorage.removeItem(KEY);
	return Date.now() - at < LONGEST_MS;
}
