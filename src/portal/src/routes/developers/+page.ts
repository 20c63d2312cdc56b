import { developers } from '#lib/texts/developers/index.ts';

export const load = () => developers.ready();
