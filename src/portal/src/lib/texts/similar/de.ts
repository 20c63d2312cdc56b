import { plural } from '../language.svelte.ts';
import type en from './en';

export default {
	title: 'Ist es eines davon?',
	hint: 'Dann ergänzen Sie dort, was Sie wissen. Es öffnet sich in einem neuen Tab, und Ihr Entwurf bleibt hier.',
	found: (count: number) =>
		plural(count, { one: '# Ticket ähnelt Ihrem.', other: '# Tickets ähneln Ihrem.' })
} satisfies typeof en as typeof en;
