/** The most that one change may concern, as the contract has it. */
export const MOST = 100;

/** The tickets that are selected, by number. */
export class Selection {
	numbers = $state.raw<ReadonlySet<number>>(new Set());
	#from: number | null = null;

	get size(): number {
		return this.numbers.size;
	}

	has(number: number): boolean {
		return this.numbers.has(number);
	}

	toggle(number: number): void {
		const numbers = new Set(this.numbers);
		if (!numbers.delete(number) && numbers.size < MOST) numbers.add(number);
		this.numbers = numbers;
		this.#from = number;
	}

	/** Select everything from what was last chosen to this one, in the order of the list. */
	extend(to: number, listed: readonly number[]): void {
		const from = listed.indexOf(this.#from ?? to);
		const until = listed.indexOf(to);
		if (from < 0 || until < 0) return this.toggle(to);
		const range = listed.slice(Math.min(from, until), Math.max(from, until) + 1);
		this.numbers = new Set([...new Set([...this.numbers, ...range])].slice(0, MOST));
	}

	/** Select these, as many as one change may concern. */
	take(numbers: readonly number[]): void {
		this.numbers = new Set(numbers.slice(0, MOST));
		this.#from = null;
	}

	clear(): void {
		if (this.size > 0) this.numbers = new Set();
		this.#from = null;
	}
}
