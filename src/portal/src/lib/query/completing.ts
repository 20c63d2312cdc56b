import declared from './fields.json';
import { SORTS } from './query.ts';
import { BARE_END, clauses, written } from './tokens.ts';

type Declared = { kind: string; words: readonly string[]; absent: boolean };
/** The fields of the service: `fields.json` is what it declares, and a test of it compares. */
export const FIELDS: Readonly<Record<string, Declared>> = declared;

/** What is being written at the caret: the name of a field, or one of its values; and what it stands in place of. */
export type Wanted = {
	start: number;
	end: number;
	/** As much of it as is there, in lower case. */
	typed: string;
	/** The field whose value it is; null for the name of a field. */
	field: string | null;
};
export type Completion = {
	/** What to write. */
	text: string;
	/** What it is called. */
	label: string;
	icon?: 'person' | 'recent';
};

/** Null where nothing can be completed, such as within a phrase. */
export function wanted(text: string, caret: number): Wanted | null {
	const here = clauses(text).find(({ start, end }) => start <= caret && caret <= end);
	if (!here) return { start: caret, end: caret, typed: '', field: null };
	const begin = here.start + Number(here.negated);
	const raw = text.slice(begin, caret);
	const name = /^([A-Za-z][\w.-]*):(?!\/\/|:)/.exec(raw);
	if (!name) {
		if (!/^[A-Za-z]?[\w.-]*$/.test(raw)) return null;
		const rest = /^[\w.-]*:?/.exec(text.slice(caret, here.end))![0];
		return { start: begin, end: caret + rest.length, typed: raw.toLowerCase(), field: null };
	}
	const bare = last(raw.slice(name[0].length)).replace(/^[<>]=?/, '');
	const start = caret - bare.length;
	const closed = bare.startsWith('"')
		? /^(?:[^"\\]|\\[^])*"?/.exec(text.slice(caret))![0].length
		: BARE_END.exec(text.slice(caret))![0].length;
	return {
		start,
		end: Math.min(caret + closed, Math.max(here.end, caret)),
		typed: bare.replaceAll(/^"|"$|\\/g, '').toLowerCase(),
		field: name[1]!.toLowerCase()
	};
}

/** What stands after the last comma that is not within quotes. */
function last(values: string): string {
	const parts = values.match(/(?:"(?:[^"\\]|\\[^])*(?:"|$)|[^,"]|^)+|,/g) ?? [];
	const end = parts.at(-1) ?? '';
	return end === ',' ? '' : end;
}

/** Those that fit what is typed: first what begins so, then what has it in it. */
export function fitting(all: readonly Completion[], typed: string, most = 8): Completion[] {
	const place = ({ text, label }: Completion) => {
		const said = [text, label].map((each) => each.toLowerCase().replace(/^"/, ''));
		if (said.some((each) => each.startsWith(typed))) return 0;
		return said.some((each) => each.includes(typed)) ? 1 : 2;
	};
	return all
		.map((each) => ({ each, at: place(each) }))
		.filter(({ at }) => at < 2)
		.sort((one, other) => one.at - other.at)
		.slice(0, most)
		.map(({ each }) => each);
}

/** The names of fields, and what they are called. */
export function names(words: Readonly<Record<string, string>>): Completion[] {
	return [...Object.keys(FIELDS), 'sort'].map((name) => ({
		text: `${name}:`,
		label: words[name] ?? name
	}));
}

/** The values of a field that are always the same. */
export function fixed(field: string, word: (value: string) => string): Completion[] {
	if (field === 'sort') return SORTS.map((text) => ({ text, label: word(text) }));
	const known = FIELDS[field];
	if (!known) return [];
	const special = [
		...(known.kind === 'person' ? ['me'] : []),
		...(known.absent ? ['none'] : []),
		...(known.kind === 'moment' ? ['-1d', '-7d', '-30d'] : [])
	];
	return [...known.words, ...special].map((text) => ({ text, label: word(text) }));
}

/** Something that is named by its key, or a person by their name. */
export function named(text: string, label = text): Completion {
	return { text: written(text), label };
}
