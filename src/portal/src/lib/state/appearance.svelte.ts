import { language, supported, type Locale } from '#lib/texts/language.svelte.ts';

const KEY = 'ticketing.appearance';
export type Theme = 'system' | 'light' | 'dark';
export type Density = 'comfortable' | 'compact';
type Stored = { theme?: Theme; density?: Density; locale?: Locale };

function stored(): Stored {
	try {
		return JSON.parse(localStorage.getItem(KEY) ?? '{}') as Stored;
	} catch {
		return {};
	}
}

/** How this browser shows the portal. `theme.js` applies the same before the first paint. */
class Appearance {
	theme = $state<Theme>('system');
	density = $state<Density>('comfortable');

	/** Take what was chosen before; without a choice, the language is that of the browser. */
	async start(): Promise<void> {
		const { theme, density, locale } = stored();
		this.theme = theme ?? 'system';
		this.density = density ?? 'comfortable';
		this.#show();
		matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#show());
		await language.choose(locale ?? supported(navigator.languages));
	}

	/** Whether a language was chosen in this browser. */
	get speaks(): boolean {
		return stored().locale !== undefined;
	}

	choose(changed: Stored): void {
		if (changed.theme) this.theme = changed.theme;
		if (changed.density) this.density = changed.density;
		if (changed.locale) void language.choose(changed.locale);
		try {
			localStorage.setItem(KEY, JSON.stringify({ ...stored(), ...changed }));
		} catch {
			// It holds for this page, then.
		}
		this.#show();
	}

	#show(): void {
		const root = document.documentElement;
		const dark =
			this.theme === 'dark' ||
			(this.theme === 'system' && matchMedia('(prefers-color-scheme: dark)').matches);
		root.classList.toggle('dark', dark);
		root.style.colorScheme = dark ? 'dark' : 'light';
		root.dataset.density = this.density;
	}
}

export const appearance = new Appearance();
