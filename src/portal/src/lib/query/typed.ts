const [MOST_PARTS, MOST_WORDS, LONGEST] = [20, 50, 200];
const PART = /["“”„«»]([^"“”„«»]*)["“”„«»]|\S+/gu;
const SAYS = /[\p{L}\p{N}]/u;
const PLAIN = /^#?[\p{L}\p{M}\p{N}]+$/u;
const NUMBER = /^#?\d+$/;
const RESERVED = /^(AND|OR|NOT)$/;
const WORD = /[\p{L}\p{M}\p{N}]+/gu;
/** Letters of scripts without blanks, each of which the service counts as a word. */
const UNSPACED =
	/[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\u{20000}-\u{3ffff}]/gu;

function words(text: string): number {
	return text.normalize('NFKC').replace(UNSPACED, ' x ').match(WORD)?.length ?? 0;
}

/** What somebody types, part by part, as a query has it; what begins in quotes that are closed is a phrase. */
function parts(text: string): { query: string; plain: boolean }[] {
	const read = [...text]
		.slice(0, LONGEST)
		.join('')
		.replace(/\p{Cc}/gu, ' ');
	let left = MOST_WORDS;
	const made = [...read.matchAll(PART)].flatMap(([part, phrase]) => {
		const said = [...(phrase ?? part)];
		while (words(said.join('')) > left) said.pop();
		const shown = said.join('');
		if (!SAYS.test(shown)) return [];
		left -= words(shown);
		return phrase === undefined && PLAIN.test(shown) && !RESERVED.test(shown)
			? { query: shown, plain: true }
			: { query: `"${shown.replace(/["\\]/g, ' ').trim()}"`, plain: false };
	});
	return made.slice(0, MOST_PARTS);
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
