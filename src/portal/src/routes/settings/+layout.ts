import { signInFirst } from '#lib/state/visitors.ts';
import { settings } from '#lib/texts/settings/index.ts';
import type { LayoutLoad } from './$types';

export const load: LayoutLoad = async ({ parent, url }) => {
	await parent();
	signInFirst(url);
	await settings.ready();
};
