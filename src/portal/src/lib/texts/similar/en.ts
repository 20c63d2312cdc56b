import { plural } from '../language.svelte.ts';

/** Tickets like one that is being written. */
export default {
	title: 'Is it one of these?',
	hint: 'Then add to that one what you know. It opens in a new tab, and your draft stays here.',
	found: (count: number) =>
		plural(count, { one: '# ticket is like yours.', other: '# tickets are like yours.' })
};
