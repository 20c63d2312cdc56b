import { tick } from 'svelte';
import { ApiError } from '#lib/api/problem.ts';
import { shell } from '#lib/texts/shell/index.ts';

/** One form's sending: whether it is under way, and what was wrong with it, field by field. */
export class Attempt {
	busy = $state(false);
	/** What is wrong with the whole. */
	error = $state('');
	/** What is wrong with each field, by its name. */
	fields = $state.raw<Record<string, string>>({});

	/** Run it once at a time; gives whether it went well. */
	async run(action: () => Promise<void>): Promise<boolean> {
		if (this.busy) return false;
		this.busy = true;
		this.error = '';
		this.fields = {};
		try {
			await action();
			return true;
		} catch (error) {
			if (error instanceof ApiError) {
				this.fields = error.fields;
				if (error.status === 412) this.error = shell.t.stale;
				else if (Object.keys(this.fields).length === 0) this.error = error.message;
			} else {
				this.error = shell.t.error.unreachable;
			}
			await show();
			return false;
		} finally {
			this.busy = false;
		}
	}
}

/** The keyboard goes to the first field that is wrong, of the form or dialog where it is. */
export async function show(): Promise<void> {
	await tick();
	(document.activeElement?.closest('[role=dialog], form') ?? document)
		.querySelector<HTMLElement>('[aria-invalid=true]')
		?.focus();
}
