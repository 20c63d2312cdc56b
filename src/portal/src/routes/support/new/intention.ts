const KEY = 'ticketing.sending';
/** Signing in by mail takes a while, and not longer. */
const MINUTES = 30;

/** Remember in this tab that the new ticket is to be sent once somebody has signed in. */
export function intends(): void {
	try {
		sessionStorage.setItem(KEY, String(Date.now()));
	} catch {
		// They send it themselves, then.
	}
}

/** Whether it was to be sent; asked once. */
export function intended(): boolean {
	try {
		const at = Number(sessionStorage.getItem(KEY));
		sessionStorage.removeItem(KEY);
		return Date.now() - at < MINUTES * 60_000;
	} catch {
		return false;
	}
}
