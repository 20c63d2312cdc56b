import { describe, expect, it } from 'vitest';
import { address, filters, query, recent, type Filters } from './filters';

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

	it('had words of a title before', () => {
		expect(at('title=hdr+film').text).toBe('hdr film');
		expect(address(at('title=hdr+film'))).toBe('?q=hdr+film');
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

	it('is found by number and by words, the best first', () => {
		expect(query({ ...plain, tab: 'all', text: ' #1042 ' })).toEqual({
			requester: ['me'],
			q: '#1042',
			include: ['matches']
		});
		expect(query({ ...plain, text: 'C# build' }).q).toBe('"C#" build*');
	});

	it('is nothing else for signs alone', () => {
		expect(query({ ...plain, text: ' " ' })).toEqual(query(plain));
		expect(recent({ ...plain, text: ' " ' })).toBeNull();
	});

	it('is also what just got such a title', () => {
		expect(recent({ ...plain, type: 'bug', text: 'C# build' })).toEqual({
			status: ['open', 'in_progress'],
			type: ['bug'],
			requester: ['me'],
			q: 'title:"C#" title:build updated:-1h',
			sort: '-updated',
			limit: 5
		});
	});

	it('leaves out whose and which status, when all are wanted', () => {
		expect(query({ ...plain, tab: 'all', everyone: true })).toEqual({ sort: '-updated' });
	});
});
