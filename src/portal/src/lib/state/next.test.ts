import { describe, expect, it, vi } from 'vitest';

vi.mock('#lib/api/client.ts', () => ({ root: '' }));
const { nextPage } = await import('./next');

const at = (next: string) =>
	nextPage(new URL(`https://here.example/sign-in?next=${encodeURIComponent(next)}`), '/support');

describe('where to go after signing in', () => {
	it.each(['/desk', '/support/tickets/7?tab=all#c3'])('goes on to %s', (next) => {
		expect(at(next)).toBe(next);
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
	])('goes nowhere else for %j', (next) => {
		expect(new URL(at(next), 'https://here.example').origin).toBe('https://here.example');
	});
});
