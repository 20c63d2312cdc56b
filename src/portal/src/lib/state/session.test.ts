import { describe, expect, it, vi } from 'vitest';

const signing = { csrfToken: '', lost: () => {}, renew: async () => false };
vi.mock('#lib/api/client.ts', () => ({ api: {}, got: (answer: unknown) => answer, signing }));
vi.mock('$app/paths', () => ({ resolve: (path: string) => path }));
const { session } = await import('./session.svelte');

type Current = Parameters<typeof session.take>[0];
const nobody: Current = { session: null, user: null, preferences: null, csrf_token: null };
const jonas = {
	session: {},
	user: { id: '1', name: 'Jonas', role: 'requester' },
	preferences: { locale: 'de', time_zone: '' },
	csrf_token: 'first'
} as Current;

describe('a session that ends while a page is open', () => {
	it('leaves the page to who was signed in, until they sign in again', () => {
		session.take(jonas);
		expect([session.user?.name, session.preferences?.locale, signing.csrfToken]).toEqual([
			'Jonas',
			'de',
			'first'
		]);
		signing.lost();
		session.take(nobody);
		expect([session.expired, session.user?.name]).toEqual([true, 'Jonas']);
		session.take({ ...jonas, csrf_token: 'second' });
		expect([session.expired, signing.csrfToken]).toEqual([false, 'second']);
	});

	it('that somebody has ended themselves leaves nobody', () => {
		session.take(nobody);
		expect([session.expired, session.user, session.preferences]).toEqual([false, null, null]);
	});
});
