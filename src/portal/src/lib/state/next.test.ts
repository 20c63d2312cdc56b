import { describe, expect, it, vi } from 'vitest';

vi.mock('#lib/api/client.ts', () => ({ root: '' }));
/** The portal's router knows these pages. */
const PAGES = /^\/(desk|support|support\/tickets\/[0-9]+|sign-in|invitation)$/;
vi.mock('$app/paths', () => ({
	match: async ({ pathname }: URL) => (PAGES.test(pathname) ? { id: pathname } : null)
}));
const { nextPage } = await import('./next');

const at = (next: string) =>
	nextPage(new URL(`https://here.example/sign-in?next=${encodeURIComponent(next)}`), '/support');

describe('where to go after signing in', () => {
	it.each(['/desk', '/support/tickets/7?tab=all#c3'])('goes on to %s', async (next) => {
		expect(await at(next)).toBe(next);
	});

	it.each([
		'',
		'desk',
		'//evil.example',
		'/\\evil.example',
		'https://evil.example/',
		'javascript:alert(1)',
		'\t//evil.example',
		'/\t/evil.example'
	])('goes nowhere else for %j', async (next) => {
		expect(new URL(await at(next), 'https://here.example').origin).toBe('https://here.example');
	});

	it.each([
		'/dev/mailbox',
		'/api/v1/session',
		'/support@evil.example',
		'/..//evil.example',
		'/desk/nothing',
		'/sign-in?next=/desk',
		'/invitation'
	])('is the first page for %j, which shows nothing', async (next) => {
		expect(await at(next)).toBe('/support');
	});
});
