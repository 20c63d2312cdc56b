import { signInFirst } from '#lib/state/visitors.ts';
import { people } from '#lib/texts/people/index.ts';
import { profile } from '#lib/texts/profile/index.ts';
import { settings } from '#lib/texts/settings/index.ts';
import { words } from '#lib/texts/words/index.ts';

export async function load({ parent, url }) {
	await parent();
	signInFirst(url);
	await Promise.all([profile, people, settings, words].map((texts) => texts.ready()));
}
