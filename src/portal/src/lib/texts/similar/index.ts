import { Dictionary } from '../language.svelte.ts';
import en from './en';

export const similar = new Dictionary(en, { de: () => import('./de'), ar: () => import('./ar') });
