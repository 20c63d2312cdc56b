import { describe, expect, it } from 'vitest';
import { address, filters, query, type Filters } from './filters';

const plain: Filters = { tab: 'open', type: '', project: '', text: '', everyone: false };
const at = (said: string) => filters(new URLSearchParams(said));

describe('the address of the list', () => {
	it('is empty for what is shown first', () => {
		expect(address(plain)).toBe('');
		expect(at('')).toEqual(plain);
	});

	it.each<Partial<Filters>>([
		{ tab: 'all', text: 'a & b=c' },
		{ tab: 'waiting', type: 'feature_request', project: 'apps', everyone: true },
		{ text: '#1042' }
	])('says everything: %j', (some) => {
		expect(at(address({ ...plain, ...some }))).toEqual({ ...plain, ...some });
	});

	it.each(['status=nonsense', 'status=toString', 'type=task', 'whose=me'])(
		'takes what it does not know for nothing: %s',
		(said) => expect(at(said)).toEqual(plain)
	);
});

describe('what is asked for', () => {
	it('is one’s own, by what changed last', () => {
		expect(query(plain)).toEqual({
			status: ['open', 'in_progress'],
			requester: ['me'],
			sort: '-updated'
		});
	});

	it('is found by number with or without its sign, and by words', () => {
		expect(query({ ...plain, text: ' #1042 ' }).title).toBe('1042');
		expect(query({ ...plain, text: 'C# build' }).title).toBe('C# build');
		expect(query({ ...plain, text: '  ' })).not.toHaveProperty('title');
	});

	it('leaves out whose and which status, when all are wanted', () => {
		expect(query({ ...plain, tab: 'all', everyone: true })).toEqual({ sort: '-updated' });
	});
});
