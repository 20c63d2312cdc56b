const MOST_WORDS = 20;
const LONGEST = 200;
const PART = /["“”„«»]([^"“”„«»]*)["“”„«»]|\S+/gu;
const SAYS = /[\p{L}\p{N}]/u;
const PLAIN = /^#?[\p{L}\p{M}\p{N}]+$/u;
const NUMBER = /^#?\d+$/;
const RESERVED = /^(AND|OR|NOT)$/;

/** What somebody types, part by part, as a query has it; what begins in quotes that are closed is a phrase. */
function parts(text: string): { query: string; plain: boolean }[] {
	return [
		...text
			.slice(0, LONGEST)
			.replace(/\p{Cc}/gu, ' ')
			.matchAll(PART)
	]
		.filter(([part]) => SAYS.test(part))
		.slice(0, MOST_WORDS)
		.map(([part, phrase]) =>
			phrase === undefined && PLAIN.test(part) && !RESERVED.test(part)
				? { query: part, plain: true }
				: { query: `"${(phrase ?? part).replace(/["\\]/g, ' ').trim()}"`, plain: false }
		);
}

/**
 * The query for words and phrases that somebody types into a box that knows no query language: no sign makes it faulty.
 * All of them are looked for; the last one may have only begun.
 */
export function typed(text: string): string {
	return parts(text)
		.map(({ query, plain }, place, all) => {
			const begun = plain && place === all.length - 1 && query.length > 1 && !NUMBER.test(query);
			return begun ? `${query}*` : query;
		})
		.join(' ');
}

/** The query for titles with the same words and phrases. */
export function titled(text: string): string {
	return parts(text)
		.map(({ query }) => `title:${query}`)
		.join(' ');
}
