import { Dictionary } from '../language.svelte.ts';
import en from './en';

export const words = new Dictionary(en, { de: () => import('./de'), ar: () => import('./ar') });

/** The word for a value; one that a later release of the service has stands for itself. */
export function word(table: Record<string, string>, value: string): string {
	return table[value] ?? value.replaceAll('_', ' ');
}
