import { signInFirst } from '#lib/state/visitors.ts';
import { desk } from '#lib/texts/desk/index.ts';
import { environment } from '#lib/texts/environment/index.ts';
import { markdown } from '#lib/texts/markdown/index.ts';
import { query } from '#lib/texts/query/index.ts';
import { thread } from '#lib/texts/thread/index.ts';
import { timeline } from '#lib/texts/timeline/index.ts';
import { words } from '#lib/texts/words/index.ts';
import type { LayoutLoad } from './$types';

export const load: LayoutLoad = async ({ parent, url }) => {
	await parent();
	signInFirst(url);
	await Promise.all(
		[desk, environment, markdown, query, thread, timeline, words].map((texts) => texts.ready())
	);
};
