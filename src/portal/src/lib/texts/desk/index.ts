import { Dictionary } from '../language.svelte';
import en from './en';

export const desk = new Dictionary(en, { de: () => import('./de'), ar: () => import('./ar') });
