import { people } from '#lib/texts/people/index.ts';

export const load = () => people.ready();
