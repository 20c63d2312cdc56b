/** What somebody edits: it begins with what was read, and knows whether it was changed since. */
export class Edited<T extends object> {
	value = $state<T>();
	/** The version that it was read in, for `If-Match`. */
	version = '';
	#read = $state.raw('');

	get changed(): boolean {
		return this.value !== undefined && JSON.stringify(this.value) !== this.#read;
	}

	begin(value: T, version: string): void {
		this.value = value;
		this.version = version;
		this.#read = JSON.stringify(value);
	}

	/** Something else of the same was changed: what is being typed stays. */
	goOn(value: T, version: string): void {
		if (!this.changed) return this.begin(value, version);
		this.version = version;
		this.#read = JSON.stringify(value);
	}
}
