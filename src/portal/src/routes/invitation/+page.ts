import { signing } from '#lib/texts/signing/index.ts';

export const load = () => signing.ready();
