import { beforeEach, describe, expect, it, vi } from 'vitest';

const POST = vi.fn();
vi.mock('#lib/api/client.ts', () => ({
	api: { POST },
	got: <T>(answer: { data: T }) => answer.data
}));
const { Report } = await import('./report.svelte');

const stored = (name: string) => localStorage.getItem(`ticketing.draft.new.${name}`);
const filled = () => {
	const report = new Report('ada');
	Object.assign(report.value, { type: 'bug', project: 'apps', title: 'It hums' });
	return report;
};
const keys = () => POST.mock.calls.map(([, { params }]) => params.header['Idempotency-Key']);

beforeEach(() => {
	localStorage.clear();
	POST.mockReset();
});

describe('a ticket that is being written', () => {
	it('is not a draft before anybody types', () => {
		const report = new Report('ada', { type: 'support' });
		expect(report.touched).toBe(false);
		expect(report.draft.restored).toBe(false);
		report.facts()[0]![1] = 'Lynx';
		expect(report.touched).toBe(true);
	});

	it('prefers what was typed to what the address says', () => {
		filled().draft.flush();
		expect(new Report('ada', { type: 'support' }).value).toMatchObject({
			type: 'bug',
			title: 'It hums'
		});
	});

	it('takes over what a visitor typed, unless there is a draft already', () => {
		const visitor = new Report(undefined);
		visitor.value.title = 'Before signing in';
		visitor.draft.flush();
		expect(new Report('ada').value.title).toBe('Before signing in');
		expect(stored('visitor')).toBeNull();

		visitor.value.title = 'Another';
		visitor.draft.flush();
		expect(new Report('ada').value.title).toBe('Before signing in');
	});

	it('keeps its key until it was sent, and another text has the same', async () => {
		const report = filled();
		POST.mockRejectedValueOnce(new Error('lost'));
		await expect(report.send()).rejects.toThrow('lost');
		const again = new Report('ada');
		again.value.title = 'It hums, really';
		POST.mockResolvedValue({ data: { number: 1 } });
		await again.send();
		expect(new Set(keys()).size).toBe(1);
		expect(stored('ada')).toBeNull();
		expect(again.value.title).toBe('');

		const next = filled();
		await next.send();
		expect(new Set(keys()).size).toBe(2);
	});
});

describe('what is sent', () => {
	it('has a severity for bugs, and the environment unless it is a wish', () => {
		const report = filled();
		report.value.severity = 'high';
		report.facts().push(['app_version', '4.8'], ['', 'nameless'], ['empty', ' ']);
		expect(report.body.severity).toBe('high');
		expect(report.body.environment).toMatchObject({ app_version: '4.8' });
		expect(report.body.environment).not.toHaveProperty('empty');

		report.value.type = 'support';
		expect(report.body).not.toHaveProperty('severity');
		expect(report.body).toHaveProperty('environment');

		report.value.type = 'feature_request';
		expect(report.body).not.toHaveProperty('environment');
	});

	it('has a category of its project alone', () => {
		const report = filled();
		report.category = 'web';
		expect(report.body.category).toBe('web');
		report.value.project = 'media-server';
		expect(report.body).not.toHaveProperty('category');
	});

	it('goes to the only project there is, and to none that does not take it', () => {
		const report = filled();
		report.settle(['account', 'media-server']);
		expect(report.value.project).toBe('');
		report.settle(['account']);
		expect(report.value.project).toBe('account');
	});
});
