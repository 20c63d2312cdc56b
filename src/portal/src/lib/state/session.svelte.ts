import { resolve } from '$app/paths';
import { tick } from 'svelte';
import { api, got, once, signing, type Schemas, type User } from '#lib/api/client.ts';
import { passing } from '#lib/api/problem.ts';

type Current = Schemas['CurrentSession'];

/** Who is signed in in this browser. */
class Session {
	/** Null for a visitor; undefined until it is known. */
	user = $state.raw<User | null | undefined>(undefined);
	preferences = $state.raw<Current['preferences']>(null);
	/** The session has ended while a page was open: it stays, so that nothing typed is lost. */
	expired = $state(false);

	/** The user is about to sign out. */
	leaving = $state(false);

	isStaff = $derived(this.user?.role === 'agent' || this.user?.role === 'admin');
	isAdmin = $derived(this.user?.role === 'admin');

	/** The service does not answer yet, so nobody knows. */
	waiting = $state(false);

	/** Ask when a page is opened. Raises nothing: who cannot be known is a visitor. */
	async start(): Promise<void> {
		try {
			this.take(got(await api.GET('/session', { fetch: once })));
			this.waiting = false;
		} catch (error) {
			this.waiting = passing(error);
			if (!this.waiting) this.user = null;
		}
	}

	/** Ask again, after each sign-in. */
	async load(): Promise<void> {
		this.take(got(await api.GET('/session')));
	}

	take(current: Current): void {
		// The page stays that of who was signed in, until somebody is again.
		if (this.expired && !current.user) return;
		const before = this.user?.id;
		this.user = current.user;
		this.preferences = current.preferences;
		signing.csrfToken = current.csrf_token ?? '';
		if (current.user) this.expired = false;
		if (before && current.user && before !== current.user.id) location.reload();
	}

	async signOut(): Promise<void> {
		// What follows changes stops first, or it would be refused.
		this.leaving = true;
		await tick();
		try {
			await api.DELETE('/session');
		} catch (error) {
			this.leaving = false;
			throw error;
		}
		// Whatever was read as this user leaves the memory of the page with it.
		location.assign(resolve('/'));
	}
}

export const session = new Session();

signing.lost = () => {
	if (session.user) session.expired = true;
};
signing.renew = async () => {
	const before = signing.csrfToken;
	await session.load();
	return signing.csrfToken !== '' && signing.csrfToken !== before;
};
