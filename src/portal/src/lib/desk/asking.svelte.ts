import type { Ticket, User } from '#lib/api/client.ts';
import type { TicketPatch } from './changing.svelte';
import type { Fields, View } from './views.svelte';

export type Choice = {
	value: string;
	label: string;
	/** What stands before the label. */
	icon?: 'status' | 'priority' | 'type' | 'person';
	checked?: boolean;
	/** More words to find it by. */
	also?: string;
};

export type Questions = {
	/** One of several, or some of them. */
	choice: {
		asked: {
			title: string;
			choices: Choice[];
			several?: boolean;
			/** Of several, what is chosen holds at once. */
			chosen?: (values: string[]) => void;
			/** A value that is not among them yet may be made from what was typed. */
			create?: (text: string) => string;
			/** The button that asks; the choices stand below it. */
			anchor?: HTMLElement | null;
		};
		answer: string[];
	};
	/** Why a ticket ends. */
	resolution: {
		asked: { status: 'resolved' | 'closed'; count: number };
		answer: { resolution: NonNullable<TicketPatch['resolution']>; resolution_note: string | null };
	};
	/** Somebody else has changed the same. */
	conflict: {
		asked: {
			base: Ticket;
			theirs: Ticket;
			patch: TicketPatch;
			by: { name: string } | null;
			staff: readonly User[];
		};
		answer: TicketPatch;
	};
	/** What became of each ticket. */
	outcome: {
		asked: {
			changed: number;
			unchanged: number;
			refused: { number: number; title: string; reason: string }[];
		};
		answer: true;
	};
	/** What a view is called, who sees it, and what its list shows. */
	view: {
		asked: {
			/** The one to be changed, if it is no new one. */
			view?: View;
			/** What is shown now. */
			q: string;
			suggested: string;
			keep: (fields: Fields) => Promise<unknown>;
		};
		answer: true;
	};
	/** Whether it is to be done. */
	sure: { asked: { title: string; text: string; action: string }; answer: true };
};
export type Kind = keyof Questions;
export type Question<K extends Kind = Kind> = {
	kind: K;
	asked: Questions[K]['asked'];
	answer: (given: Questions[K]['answer'] | null) => void;
};

/** What the desk asks somebody in a dialog; one at a time. Null is the answer of whoever closes it. */
class Asking {
	now = $state.raw<Question | null>(null);

	ask<K extends Kind>(
		kind: K,
		asked: Questions[K]['asked']
	): Promise<Questions[K]['answer'] | null> {
		this.now?.answer(null);
		return new Promise((done) => {
			const question = {
				kind,
				asked,
				answer: (given: Questions[K]['answer'] | null) => {
					if (this.now === question) this.now = null;
					done(given);
				}
			} as unknown as Question;
			this.now = question;
		});
	}
}

export const asking = new Asking();
