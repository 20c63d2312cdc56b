import { untrack } from 'svelte';

const PREFIX = 'ticketing.draft.';
const DELAY_MS = 400;

/** Whether something was typed into this form, and neither sent nor discarded. */
export function drafted(key: string): boolean {
	try {
		return localStorage.getItem(PREFIX + key) !== null;
	} catch {
		return false;
	}
}

/** Give what was typed as somebody else, such as before signing in, to a form that has nothing yet; gives whether. */
export function adopt(from: string, to: string): boolean {
	try {
		const kept = localStorage.getItem(PREFIX + from);
		// Of two texts neither is lost: the other's turn comes once this form is empty.
		if (kept === null || localStorage.getItem(PREFIX + to) !== null) return false;
		localStorage.setItem(PREFIX + to, kept);
		localStorage.removeItem(PREFIX + from);
		return true;
	} catch {
		// Nothing is kept in this browser, then.
		return false;
	}
}

/**
 * What somebody has typed, kept in this browser until it is sent or discarded: a reload, an expired session or a lost
 * network loses nothing. `key` names the form, and the user, because browsers are shared.
 */
export class Draft<T extends object> {
	value: T;
	/** It holds something that was typed before this page was opened. */
	restored = $state(false);
	saved = $state(false);
	#initial: T;
	#key: string;
	#written: string;
	#timer: ReturnType<typeof setTimeout> | undefined;

	constructor(key: string, initial: T) {
		this.#key = PREFIX + key;
		this.#initial = initial;
		const kept = this.#read();
		this.value = $state({ ...initial, ...kept });
		this.#written = JSON.stringify(initial);
		this.restored = JSON.stringify(this.value) !== this.#written;
		if (this.restored) this.#written = JSON.stringify(this.value);
	}

	/** Watch the value; for an `$effect`, which stops it. */
	keep(): () => void {
		return untrack(() => {
			const stop = $effect.root(() => {
				$effect(() => {
					if (JSON.stringify(this.value) === this.#written) return;
					clearTimeout(this.#timer);
					this.#timer = setTimeout(this.flush, DELAY_MS);
				});
			});
			addEventListener('pagehide', this.flush);
			return () => {
				this.flush();
				stop();
				removeEventListener('pagehide', this.flush);
			};
		});
	}

	/** Write what is still only in the page. */
	flush = (): void => {
		clearTimeout(this.#timer);
		const now = JSON.stringify(this.value);
		if (now === this.#written) return;
		this.#written = now;
		try {
			if (now === JSON.stringify(this.#initial)) localStorage.removeItem(this.#key);
			else localStorage.setItem(this.#key, now);
			this.saved = true;
		} catch {
			// Storage is full or switched off: it stays in the page.
		}
	};

	/** Begin anew, once it was sent or is not wanted. */
	discard(): void {
		clearTimeout(this.#timer);
		Object.assign(this.value, structuredClone(this.#initial));
		this.#written = JSON.stringify(this.#initial);
		this.restored = false;
		this.saved = false;
		try {
			localStorage.removeItem(this.#key);
		} catch {
			// Nothing was kept, then.
		}
	}

	#read(): Partial<T> {
		try {
			const kept: unknown = JSON.parse(localStorage.getItem(this.#key) ?? '{}');
			return kept && typeof kept === 'object' ? (kept as Partial<T>) : {};
		} catch {
			return {};
		}
	}
}
