import { projects } from '#lib/texts/projects/index.ts';

export const load = () => projects.ready();
