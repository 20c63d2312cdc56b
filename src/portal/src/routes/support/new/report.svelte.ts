import { untrack } from 'svelte';
import { api, got, type Schemas, type Ticket } from '#lib/api/client.ts';
import { Draft, adopt } from '#lib/state/draft.svelte.ts';
import { detected } from '#lib/state/environment.ts';

/** `own`: somebody has added it, and gives it its name. */
export type Fact = [name: string, fact: string, own?: boolean];
const EMPTY = {
	type: '' as Ticket['type'] | '',
	project: '',
	/** With its project, because another one has other categories. */
	category: null as { project: string; key: string } | null,
	severity: 'none' as Ticket['severity'],
	title: '',
	description: '',
	/** Null while nobody has changed what was detected. */
	environment: null as Fact[] | null,
	/** The idempotency key: this form becomes one ticket, however often it is sent. */
	key: ''
};

/** A ticket that is being written: what was typed, where it is kept, and how it is sent. */
export class Report {
	draft: Draft<typeof EMPTY>;
	/** It was typed before signing in. */
	readonly adopted: boolean;
	#detected = detected();

	constructor(userId: string | undefined, preset: Partial<typeof EMPTY> = {}) {
		this.adopted = userId !== undefined && adopt('new.visitor', `new.${userId}`);
		this.draft = new Draft(`new.${userId ?? 'visitor'}`, structuredClone(EMPTY));
		if (!this.draft.restored) Object.assign(this.draft.value, preset);
	}

	get value(): typeof EMPTY {
		return this.draft.value;
	}

	get category(): string {
		const { category, project } = this.value;
		return category?.project === project ? category.key : '';
	}

	set category(key: string) {
		this.value.category = key ? { project: this.value.project, key } : null;
	}

	/** Choose the project, where there is only one; let go of one that does not take such a ticket. */
	settle(takers: readonly string[]): void {
		const only = takers.length === 1 ? takers[0]! : '';
		untrack(() => {
			if (only) this.value.project = only;
			else if (takers.length > 0 && !takers.includes(this.value.project)) this.value.project = '';
		});
	}

	get environment(): Fact[] {
		return this.value.environment ?? this.#detected;
	}

	/** For what changes the detected facts: they are kept with the draft from then on. */
	facts(): Fact[] {
		this.value.environment ??= structuredClone(this.#detected);
		// Read again: what is assigned is not what the state makes of it.
		return this.value.environment;
	}

	/** Whether somebody has typed anything yet. */
	get touched(): boolean {
		const { title, description, environment } = this.value;
		return title !== '' || description !== '' || environment !== null;
	}

	/** What is sent; only bugs have a severity, and a wish does not depend on anybody's browser. */
	get body(): Schemas['TicketCreate'] {
		const { type, project, severity, title, description } = this.value;
		const facts = this.environment.filter(([name, fact]) => name.trim() && fact.trim());
		return {
			type: type as Ticket['type'],
			project,
			title,
			description,
			...(this.category && { category: this.category }),
			...(type === 'bug' && severity !== 'none' && { severity }),
			...(type !== 'feature_request' && facts.length && { environment: Object.fromEntries(facts) })
		};
	}

	async send(): Promise<Ticket> {
		this.value.key ||= crypto.randomUUID();
		this.draft.flush();
		const ticket = got(
			await api.POST('/tickets', {
				params: { header: { 'Idempotency-Key': this.value.key } },
				body: this.body
			})
		);
		this.draft.discard();
		return ticket;
	}
}
