/**
 * Where the parts of a query stand, for chips and edits. What they mean, and what is wrong with them, the service says:
 * this knows neither fields nor values. `tokens.cases.json` has what the service's parser makes of the same texts.
 */
export type Value = {
	text: string;
	comparison: '' | '<' | '<=' | '>' | '>=';
	/** It stands in quotes. */
	quoted: boolean;
};
export type Clause = {
	/** Its place in the text, in UTF-16 units as JavaScript counts. */
	start: number;
	end: number;
	negated: boolean;
	/** The name before the colon, in lower case; null for text. */
	name: string | null;
	values: readonly Value[];
	/** What is looked for, if it is text. */
	text: string;
	phrase: boolean;
	/** It is written to its end: nothing is missing, and nothing stands where it cannot. */
	whole: boolean;
};

/** What the service takes for a blank: `\s` of JavaScript is something else. */
const BLANK =
	'\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const BLANKS = new RegExp(`[${BLANK}]*`, 'y');
const TO_BLANK = new RegExp(`[^${BLANK}]*`, 'y');
const ANY_BLANK = new RegExp(`[${BLANK}]`);
const NO_BLANK = new RegExp(`[^${BLANK}]`);
const NAME = /([A-Za-z][\w.-]*):(?!\/\/|:)/y;
const COMPARISON = /[<>]=?/y;
const STRING = /"((?:[^"\\]|\\[^])*)"/y;
const BARE = new RegExp(`[^${BLANK}",()<>:][^${BLANK}",()]*`, 'y');
const WORD = new RegExp(`[^${BLANK}"()][^${BLANK}()]*`, 'y');
const RESERVED = /^(AND|OR|NOT)$/;

export function clauses(text: string): Clause[] {
	let at = 0;
	const take = (pattern: RegExp): RegExpExecArray | null => {
		pattern.lastIndex = at;
		const found = pattern.exec(text);
		if (found) at = pattern.lastIndex;
		return found;
	};
	const string = (): string | null => {
		const found = take(STRING);
		if (!found) at = text.length;
		const said = found?.[1]!.replaceAll(/\\([^])/g, '$1') ?? null;
		return said !== null && NO_BLANK.test(said) ? said : null;
	};
	const value = (): Value | null => {
		const comparison = (take(COMPARISON)?.[0] ?? '') as Value['comparison'];
		const quoted = text[at] === '"';
		const said = quoted ? string() : (take(BARE)?.[0] ?? null);
		return said === null ? null : { text: said, comparison, quoted };
	};
	const clause = (): Clause => {
		const made: Clause = {
			start: at,
			end: at,
			negated: text[at] === '-',
			name: null,
			values: [],
			text: '',
			phrase: false,
			whole: false
		};
		if (made.negated) at++;
		if (made.negated && (at === text.length || text[at] === '-' || ANY_BLANK.test(text[at]!)))
			return made;
		const name = take(NAME);
		if (name) {
			made.name = name[1]!.toLowerCase();
			const values: Value[] = [];
			made.values = values;
			do {
				const next = value();
				if (!next) return made;
				values.push(next);
			} while (text[at] === ',' && ++at);
		} else {
			made.phrase = text[at] === '"';
			const said = made.phrase ? string() : (take(WORD)?.[0] ?? null);
			if (said === null || (!made.phrase && RESERVED.test(said))) return made;
			made.text = said;
		}
		made.whole = at === text.length || ANY_BLANK.test(text[at]!);
		return made;
	};

	const found: Clause[] = [];
	for (take(BLANKS); at < text.length; take(BLANKS)) {
		const made = clause();
		// As the service does: it reads on after the next blank.
		if (!made.whole) take(TO_BLANK);
		if (at === made.start) at++;
		made.end = at;
		found.push(made);
	}
	return found;
}

/** A value as it is written: in quotes if it needs them. */
export function written(value: string): string {
	BARE.lastIndex = 0;
	const bare = BARE.exec(value)?.[0] === value;
	return bare ? value : quoted(value);
}

export function quoted(value: string): string {
	return `"${value.replaceAll(/[\\"]/g, '\\$&')}"`;
}

/** A place that the service counts in characters (code points), as JavaScript counts. */
export function unit(text: string, character: number): number {
	let at = 0;
	for (let left = character; left > 0 && at < text.length; left--)
		at += text.codePointAt(at)! > 0xffff ? 2 : 1;
	return at;
}

/** The same the other way round. */
export function character(text: string, unit: number): number {
	return [...text.slice(0, unit)].length;
}

/** The rest of a value that needs no quotes. */
export const BARE_END = new RegExp(`^[^${BLANK}",()]*`);
