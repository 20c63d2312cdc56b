import { untrack } from 'svelte';

/** `keys`: "j", "g t" (one after the other) or "mod+k" (⌘ on a Mac, Ctrl elsewhere). */
export type Shortcut = {
	keys: string;
	label: string;
	group?: string;
	run: (event: KeyboardEvent) => void;
};

const SEQUENCE_MS = 1000;

function typing(event: Event): boolean {
	const target = event.target as HTMLElement | null;
	if (target instanceof HTMLInputElement) return !/^(checkbox|radio|button)$/.test(target.type);
	return !!target && (target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName));
}

/** Single keys do nothing while somebody types or a dialog is open (WCAG 2.2, 2.1.4). */
export class Shortcuts {
	list = $state.raw<Shortcut[]>([]);
	enabled = $state(true);
	#before = '';
	#at = 0;

	/** Add shortcuts; the answer removes them, as an `$effect` wants it. */
	register(added: Shortcut[]): () => void {
		// Untracked: an effect that registers must not run again because of it.
		this.list = [...untrack(() => this.list), ...added];
		return () => {
			this.list = untrack(() => this.list).filter((each) => !added.includes(each));
		};
	}

	handle = (event: KeyboardEvent): void => {
		if (event.isComposing || event.defaultPrevented || event.altKey) return;
		const mod = event.metaKey || event.ctrlKey;
		const key =
			(mod ? 'mod+' : '') + (event.key.length === 1 ? event.key.toLowerCase() : event.key);
		if (
			!mod &&
			(!this.enabled ||
				typing(event) ||
				document.querySelector('dialog[open], [role=dialog]:not([data-state=closed])'))
		)
			return;
		// It presses the button that has the keyboard.
		if (event.key === 'Enter' && event.target instanceof HTMLButtonElement) return;
		const now = Date.now();
		const sequence = this.#before && now - this.#at < SEQUENCE_MS ? `${this.#before} ${key}` : key;
		// The page that registered last comes first.
		const hit =
			this.list.findLast((each) => each.keys === sequence) ??
			this.list.findLast((each) => each.keys === key);
		this.#before = this.list.some((each) => each.keys.startsWith(`${key} `)) ? key : '';
		this.#at = now;
		if (!hit) return;
		event.preventDefault();
		this.#before = '';
		hit.run(event);
	};
}

export const shortcuts = new Shortcuts();

const MAC = /Mac|iP(hone|ad)/.test(navigator.platform);
const NAMES: Record<string, string> = {
	mod: MAC ? '⌘' : 'Ctrl',
	Enter: '↵',
	Escape: 'Esc',
	ArrowUp: '↑',
	ArrowDown: '↓',
	ArrowLeft: '←',
	ArrowRight: '→'
};

/** The keys of a shortcut as they are printed on a keyboard: ["Ctrl", "K"]. */
export function printed(keys: string): string[] {
	return keys
		.split(/[ +]/)
		.map((key) => NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key));
}
