import { environment } from '#lib/texts/environment/index.ts';
import { markdown } from '#lib/texts/markdown/index.ts';
import { report } from '#lib/texts/report/index.ts';
import { words } from '#lib/texts/words/index.ts';

export async function load({ parent }) {
	await parent();
	await Promise.all([report, environment, markdown, words].map((texts) => texts.ready()));
}
