import { language } from './language.svelte';

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
	['year', 365 * 86_400_000],
	['month', 30 * 86_400_000],
	['week', 7 * 86_400_000],
	['day', 86_400_000],
	['hour', 3_600_000],
	['minute', 60_000]
];

/** The present to the half minute, so that what is shown as "2 minutes ago" does not stay so. */
class Clock {
	now = $state(Date.now());

	constructor() {
		setInterval(() => (this.now = Date.now()), 30_000);
	}
}
const clock = new Clock();

/** An IANA time zone; undefined is the browser's. */
export const zone = $state<{ name: string | undefined }>({ name: undefined });

/** How long ago, or until when, in words: "2 hours ago". Narrow: "2h ago". */
export function relative(moment: string, style: 'long' | 'narrow' = 'long'): string {
	const distance = new Date(moment).getTime() - clock.now;
	// German's narrow minutes are "vor 11 m", which reads as metres.
	const format = new Intl.RelativeTimeFormat(language.locale, {
		numeric: 'auto',
		style: style === 'narrow' && language.locale !== 'en' ? 'short' : style
	});
	for (const [unit, length] of UNITS)
		if (Math.abs(distance) >= length) return format.format(Math.trunc(distance / length), unit);
	return format.format(0, 'second');
}

/** A date with its time, as people of this language write it. */
export function moment(value: string): string {
	return new Intl.DateTimeFormat(language.locale, {
		dateStyle: 'medium',
		timeStyle: 'short',
		timeZone: zone.name
	}).format(new Date(value));
}

/** A date alone. */
export function date(value: string): string {
	return new Intl.DateTimeFormat(language.locale, {
		dateStyle: 'medium',
		timeZone: zone.name
	}).format(new Date(value));
}
