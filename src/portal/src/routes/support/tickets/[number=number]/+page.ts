import { signInFirst } from '#lib/state/visitors.ts';
import { environment } from '#lib/texts/environment/index.ts';
import { markdown } from '#lib/texts/markdown/index.ts';
import { support } from '#lib/texts/support/index.ts';
import { thread } from '#lib/texts/thread/index.ts';
import { timeline } from '#lib/texts/timeline/index.ts';
import { words } from '#lib/texts/words/index.ts';

export async function load({ parent, url }) {
	await parent();
	signInFirst(url);
	await Promise.all(
		[support, environment, thread, timeline, markdown, words].map((texts) => texts.ready())
	);
}
