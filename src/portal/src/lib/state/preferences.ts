import type { Schemas } from '#lib/api/client.ts';
import { language, supported } from '#lib/texts/language.svelte.ts';
import { zone } from '#lib/texts/moments.svelte.ts';
import { appearance } from './appearance.svelte.ts';

/** Show times and texts as somebody has chosen in their profile; a language chosen in this browser comes first. */
export async function prefer(preferences: Schemas['Preferences']): Promise<void> {
	zone.name = preferences.time_zone || undefined;
	if (preferences.locale && !appearance.speaks)
		await language.choose(supported([preferences.locale]));
}
