import { describe, expect, it } from 'vitest';
import {
	address,
	choose,
	chosen,
	narrowed,
	OPEN,
	read,
	replaced,
	same,
	sorted,
	sortOf,
	without
} from './query';
import { clauses } from './tokens';

const from = (search: string) => read(new URLSearchParams(search));

describe('the query of an address', () => {
	it('is what a desk works on, if it says nothing', () => {
		expect(from('')).toBe(OPEN);
		expect(address(OPEN)).toBe('');
		expect(narrowed(OPEN)).toBe(false);
	});

	it.each(['', 'tag:hdr', 'assignee:me,none sort:-priority', '-tag:a+b "4k & hdr"', 'ruhig ü 字'])(
		'%s is read as it was written',
		(query) => {
			expect(from(address(query))).toBe(query);
		}
	);

	it('can be read by people', () => {
		expect(address('status:open,pending hdr')).toBe('?q=status:open,pending+hdr');
	});

	it.each([
		['assignee=none', `${OPEN} assignee:none`],
		['status=pending&assignee=me', 'status:pending assignee:me'],
		['status=any', ''],
		['project=apps,media-server&tag=hdr,4k', `project:apps,media-server ${OPEN} tag:hdr tag:4k`],
		['title=4k+hdr&sort=-priority', `${OPEN} sort:-priority 4k hdr`],
		['title=a:b+AND+(x)', `${OPEN} "a:b" "AND" "(x)"`],
		['escalated=true', `${OPEN} escalated:true`],
		['sort=votes', OPEN]
	])('of before, %s, is translated', (search, query) => {
		expect(from(search)).toBe(query);
	});
});

describe('menus edit a query', () => {
	it.each([
		['status:open hdr', 'status', ['closed', 'open'], 'status:closed,open hdr'],
		['status:open hdr', 'status', [], 'hdr'],
		['hdr', 'priority', ['high'], 'hdr priority:high'],
		['tag:a tag:b x', 'tag', ['b', 'needs info'], 'tag:b tag:"needs info" x'],
		['priority:>=high -priority:urgent', 'priority', ['low'], 'priority:low -priority:urgent']
	] as const)('%s, %s: %o', (query, name, values, made) => {
		expect(choose(query, name, values)).toBe(made);
	});

	it('show what it asks for', () => {
		expect(chosen('priority:>=high', 'priority')).toEqual(['high', 'urgent']);
		expect(chosen('tag:a tag:b -tag:c', 'tag')).toEqual(['a', 'b']);
		expect(chosen('assignee:"Mateo Rossi",me', 'assignee')).toEqual(['Mateo Rossi', 'me']);
	});

	it('set one sort', () => {
		expect(sorted('hdr sort:created', '-priority')).toBe('hdr sort:-priority');
		expect(sorted('tag:hdr sort:created', '-created')).toBe('tag:hdr');
		expect(sortOf('sort:-updated x')).toBe('-updated');
	});

	it('leave out fields, and parts', () => {
		expect(without('status:open x sort:created', 'status', 'sort')).toBe('x');
		expect(replaced('a b:c d', clauses('a b:c d').slice(1, 2), 'b:e')).toBe('a b:e d');
	});
});

it.each([
	['status:open,pending x', 'X status:pending,OPEN sort:created', true],
	['status:open', 'status:open x', false],
	['-tag:x', 'tag:x', false]
])('%s and %s ask for the same: %s', (one, other, alike) => {
	expect(same(one, other)).toBe(alike);
});
