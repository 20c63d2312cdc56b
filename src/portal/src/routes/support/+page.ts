import { signInFirst } from '#lib/state/visitors.ts';
import { support } from '#lib/texts/support/index.ts';
import { words } from '#lib/texts/words/index.ts';

export async function load({ parent, url }) {
	await parent();
	signInFirst(url);
	await Promise.all([support, words].map((texts) => texts.ready()));
}
