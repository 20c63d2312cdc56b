import { QueryObserver } from '@tanstack/svelte-query';
import { describe, expect, it, vi } from 'vitest';
import { Reading } from './reading';

/** A service whose first answer comes when it is let go, with what it had when it was asked. */
function slow() {
	const service = { holds: 'old', answer: () => {} };
	const queryFn = ({ signal }: { signal: AbortSignal }) => {
		const found = service.holds;
		return new Promise<string>((done, failed) => {
			service.answer = () => done(found);
			signal.addEventListener('abort', () => failed(new Error('aborted')));
		});
	};
	return { service, queryFn };
}

describe('what is invalidated', () => {
	it.each(['for the first time', 'again'])(
		'while it is being read %s is read anew',
		async (when) => {
			const reading = new Reading();
			const { service, queryFn } = slow();
			const observer = new QueryObserver(reading, {
				queryKey: ['ticket', 7],
				queryFn,
				retry: false
			});
			const stop = observer.subscribe(() => {});
			if (when === 'again') {
				service.answer();
				await vi.waitFor(() => expect(observer.getCurrentResult().data).toBe('old'));
				void reading.invalidateQueries({ queryKey: ['ticket'] });
				await vi.waitFor(() => expect(observer.getCurrentResult().isFetching).toBe(true));
			}
			const late = service.answer;
			service.holds = 'new';
			void reading.invalidateQueries({ queryKey: ['ticket'] });
			await vi.waitFor(() => expect(service.answer).not.toBe(late));
			late();
			service.answer();
			await vi.waitFor(() => expect(observer.getCurrentResult().data).toBe('new'));
			expect(observer.getCurrentResult().isError).toBe(false);
			stop();
		}
	);

	it('leaves alone what is about something else', async () => {
		const reading = new Reading();
		const { service, queryFn } = slow();
		const observer = new QueryObserver(reading, { queryKey: ['ticket', 7], queryFn, retry: false });
		const stop = observer.subscribe(() => {});
		const first = service.answer;
		await reading.invalidateQueries({ queryKey: ['ticket', 8] });
		expect(service.answer).toBe(first);
		stop();
	});
});
