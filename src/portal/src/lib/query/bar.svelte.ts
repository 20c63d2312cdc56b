import { arranged } from './query.ts';
import { character, clauses, unit, type Clause } from './tokens.ts';
import type { QueryFault } from './faults.ts';

const PAUSE_MS = 250;
/** As the service has them: most characters of a query, and most in an address. */
const [LONGEST, LONGEST_WRITTEN] = [2000, 2800];

/**
 * What a query bar shows of a query: a chip for each clause that names a field, and the rest as text that one types.
 * The query goes to the address when somebody pauses; it comes from there when that changes by itself.
 */
export class Bar {
	/** The clauses of the chips, as they are written; that of the sort is among them, and has no chip. */
	chips = $state.raw<readonly string[]>([]);
	text = $state('');
	#sent = $state('');
	#timer: ReturnType<typeof setTimeout> | undefined;
	/** Whether what was sent last was typed: what is typed on takes its place. */
	#typing = false;

	constructor(
		query: string,
		/** Take the query to the address, or in place of the one there; it is meant as it is, or still being typed. */
		readonly send: (query: string, to: { replace: boolean; typing: boolean }) => void
	) {
		this.#sent = query;
		this.#take(query);
	}

	get query(): string {
		return [...this.chips, this.text.trim()].filter(Boolean).join(' ');
	}

	/** Where the text begins in the query. */
	get #offset(): number {
		const before = this.chips.join(' ').length;
		const blanks = this.text.length - this.text.trimStart().length;
		return (before > 0 ? before + 1 : 0) - blanks;
	}

	/** Whether the query was sent as it is here: faults of another one stand somewhere else. */
	get settled(): boolean {
		return this.query === this.#sent;
	}

	#take(query: string): void {
		const all = clauses(arranged(query));
		const raw = ({ start, end }: Clause) => arranged(query).slice(start, end);
		this.chips = all.filter(isFilter).map(raw);
		this.text = all
			.filter((each) => !isFilter(each))
			.map(raw)
			.join(' ');
	}

	/** The address says something else than was sent there. */
	follow(query: string): void {
		if (query === this.#sent) return;
		clearTimeout(this.#timer);
		this.#typing = false;
		this.#sent = query;
		this.#take(query);
	}

	/** Something was typed. A clause that is written to its end, with a blank behind it, becomes a chip. */
	typed(): void {
		clearTimeout(this.#timer);
		for (const done of clauses(this.text).filter(
			(each) => isFilter(each) && each.end < this.text.length
		)) {
			this.#chip(done);
			return this.typed();
		}
		const last = clauses(this.text).at(-1);
		// What is not written to its end would only be refused.
		if (last && !last.whole && last.end === this.text.length) return;
		this.#timer = setTimeout(() => this.#commit(true), PAUSE_MS);
	}

	/** All of it is meant, now; if it was typed, it is one step of what Back goes through. */
	enter(typed = false): void {
		clearTimeout(this.#timer);
		for (const done of clauses(this.text).filter(isFilter).reverse()) this.#chip(done);
		this.#typing &&= typed;
		this.#commit(false);
	}

	#chip({ start, end }: Clause): void {
		const sort = this.chips.filter(isSort);
		const made = this.text.slice(start, end);
		const others = this.chips.filter((each) => !isSort(each));
		this.chips = isSort(made) ? [...others, made] : [...others, made, ...sort];
		this.text = (this.text.slice(0, start) + this.text.slice(end).trimStart()).trimStart();
	}

	#commit(typing: boolean): void {
		const query = this.query;
		const replace = this.#typing;
		this.#typing = typing;
		if (query === this.#sent && (typing || !replace)) return;
		this.#sent = query;
		if (!this.tooLong) this.send(query, { replace, typing });
	}

	/** Whether the service would not read it. */
	get tooLong(): boolean {
		const written = encodeURIComponent(this.query).replaceAll('%20', '+');
		return this.query.length > LONGEST || written.length > LONGEST_WRITTEN;
	}

	/** Without a chip. */
	remove(place: number): void {
		this.chips = this.chips.filter((_, each) => each !== place);
		this.enter();
	}

	/** A chip becomes text again. */
	edit(place: number): void {
		const said = this.chips[place]!;
		this.chips = this.chips.filter((_, each) => each !== place);
		this.text = `${this.text.trim()} ${said}`.trim();
	}

	/** Put something in place of a part of the text, such as what was completed; answers where that ends. */
	put(start: number, end: number, by: string): number {
		this.text = this.text.slice(0, start) + by + this.text.slice(end);
		return start + by.length;
	}

	/** The query with what was meant, where a fault has a suggestion. */
	mend(fault: QueryFault): void {
		const query = this.query;
		const start = unit(query, fault.offset);
		const end = unit(query, fault.offset + fault.length);
		const mended = query.slice(0, start) + (fault.suggestion ?? '') + query.slice(end);
		this.#take(mended);
		this.enter();
	}

	/** Of which chip a fault is; -1 if it is in the text. */
	chipOf(fault: QueryFault): number {
		const at = unit(this.query, fault.offset);
		let end = -1;
		return this.chips.findIndex((chip) => (end += chip.length + 1) > at);
	}

	/** The part of the text that a fault is about. */
	inText(fault: QueryFault): { start: number; end: number } {
		const [query, offset] = [this.query, this.#offset];
		const place = (at: number) => Math.max(0, unit(query, at) - offset);
		return { start: place(fault.offset), end: place(fault.offset + fault.length) };
	}

	/** A place in the text, as a place in the query that the service counts in characters. */
	place(caret: number): number {
		return character(this.query, Math.max(0, caret + this.#offset));
	}

	/** And back: a place that the service names, in the text. */
	caret(place: number): number {
		return Math.max(0, unit(this.query, place) - this.#offset);
	}

	clear(): void {
		this.chips = this.chips.filter(isSort);
		this.text = '';
		this.enter();
	}

	end(): void {
		clearTimeout(this.#timer);
	}
}

const isFilter = ({ name, whole }: Clause) => name !== null && whole;
const isSort = (chip: string) => chip.startsWith('sort:');
