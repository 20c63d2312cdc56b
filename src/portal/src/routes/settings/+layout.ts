import { settings } from '#lib/texts/settings/index.ts';

export const load = () => settings.ready();
