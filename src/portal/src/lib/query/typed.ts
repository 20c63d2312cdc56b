const MOST_WORDS = 20;
const LONGEST = 200;
const PLAIN = /^#?[\p{L}\p{N}]+$/u;
const NUMBER = /^#?\d+$/;
const RESERVED = /^(AND|OR|NOT)$/;

/**
 * The query for words that somebody types into a box that knows no query language. All of them are looked for; the last
 * one may have only begun.
 */
export function typed(text: string): string {
	const words = text
		.slice(0, LONGEST)
		.split(/\s+/)
		.filter((word) => /[\p{L}\p{N}]/u.test(word));
	return words
		.slice(0, MOST_WORDS)
		.map((word, place) => {
			if (NUMBER.test(word)) return word;
			if (!PLAIN.test(word) || RESERVED.test(word))
				return `"${word.replace(/["\\]/g, ' ').trim()}"`;
			return place === words.length - 1 && word.length > 1 ? `${word}*` : word;
		})
		.join(' ');
}
