import { site } from '#lib/texts/site/index.ts';

export const load = () => site.ready();
