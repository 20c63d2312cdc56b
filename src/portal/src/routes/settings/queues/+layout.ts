import { operations } from '#lib/texts/operations/index.ts';

export const load = () => operations.ready();
