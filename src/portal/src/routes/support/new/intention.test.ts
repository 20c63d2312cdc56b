import { beforeEach, describe, expect, it, vi } from 'vitest';
import { intended, intends } from './intention';

describe('what was to be sent by signing in', () => {
	beforeEach(() => sessionStorage.clear());

	it('is sent once', () => {
		expect(intended()).toBe(false);
		intends();
		expect(intended()).toBe(true);
		expect(intended()).toBe(false);
	});

	it('is not sent when somebody signs in much later', () => {
		intends();
		vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 31 * 60_000);
		expect(intended()).toBe(false);
	});
});
