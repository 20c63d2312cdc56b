import { expect, test, vi } from 'vitest';
import { again, part } from './part';

test('a part is asked for again once there is a network', async () => {
	const online = vi.spyOn(navigator, 'onLine', 'get').mockReturnValue(false);
	const load = vi.fn(async () => 'there');
	const error = await part(load).catch((error: unknown) => error);
	expect(load).not.toHaveBeenCalled();
	const ask = vi.fn();
	expect(again(error, ask)).toBe(ask);
	online.mockReturnValue(true);
	expect(await part(load)).toBe('there');
});

test('a part that the browser has given up comes with the page', async () => {
	const ask = vi.fn();
	expect(again(new TypeError('Failed to fetch'), ask)).not.toBe(ask);
});
