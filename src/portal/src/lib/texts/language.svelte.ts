/** The languages of the portal, each by its own name. */
export const LOCALES = { en: 'English', de: 'Deutsch', ar: 'العربية' } as const;
export type Locale = keyof typeof LOCALES;

const RIGHT_TO_LEFT: ReadonlySet<Locale> = new Set(['ar']);

/** The first of these BCP 47 tags that the portal has; English otherwise. */
export function supported(wanted: readonly string[]): Locale {
	for (const tag of wanted) {
		const primary = tag.toLowerCase().split('-')[0];
		const found = (Object.keys(LOCALES) as Locale[]).find((locale) => locale === primary);
		if (found) return found;
	}
	return 'en';
}

/** A dictionary is one part of the texts, such as those of a page; English is always there, the others when needed. */
interface Loadable {
	load(locale: Locale): Promise<void>;
}

class Language {
	locale = $state<Locale>('en');
	direction = $derived(RIGHT_TO_LEFT.has(this.locale) ? 'rtl' : 'ltr');
	#dictionaries = new Set<Loadable>();
	#choosing: Promise<void> = Promise.resolve();

	/** Switch every dictionary that is in use, then the document: no page is half in one language. */
	choose(locale: Locale): Promise<void> {
		return (this.#choosing = this.#choose(locale));
	}

	/** Once it is known, for dictionaries that come while it is being chosen. */
	async settled(): Promise<Locale> {
		await this.#choosing;
		return this.locale;
	}

	async #choose(locale: Locale): Promise<void> {
		await Promise.all([...this.#dictionaries].map((each) => each.load(locale)));
		this.locale = locale;
		document.documentElement.lang = locale;
		document.documentElement.dir = this.direction;
	}

	register(dictionary: Loadable): void {
		this.#dictionaries.add(dictionary);
	}
}

export const language = new Language();

/**
 * The texts of one part of the portal. English gives the type, so that a translation without one of its keys does not
 * compile. Use `texts.t.key` in markup, and `await texts.ready()` in the `load` of the page that shows them.
 */
export class Dictionary<T extends object> implements Loadable {
	t: T = $state.raw({} as T);

	constructor(
		readonly english: T,
		readonly others: Record<Exclude<Locale, 'en'>, () => Promise<{ default: T }>>
	) {
		this.t = english;
		language.register(this);
	}

	async load(locale: Locale): Promise<void> {
		this.t = locale === 'en' ? this.english : (await this.others[locale]()).default;
	}

	async ready(): Promise<void> {
		await this.load(await language.settled());
	}
}

/** The form of a text that fits a number: `one` is needed, `other` is the rest; Arabic has six. */
export function plural(
	count: number,
	forms: Partial<Record<Intl.LDMLPluralRule, string>> & { other: string }
): string {
	const rule = new Intl.PluralRules(language.locale).select(count);
	return (forms[rule] ?? forms.other).replace('#', number(count));
}

export function number(value: number): string {
	return new Intl.NumberFormat(language.locale).format(value);
}
