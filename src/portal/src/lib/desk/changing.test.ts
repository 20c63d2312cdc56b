import { describe, expect, it } from 'vitest';
import { applied, contested, reversal } from './changing.svelte';
import { ticket } from './tickets.fixture';

describe('a change that is shown before it is saved', () => {
	it('sets what is sent, and leaves the rest', () => {
		const before = ticket({ tags: ['a'] });
		expect(applied(before, { priority: 'high' })).toEqual({ ...before, priority: 'high' });
	});

	it('adds and removes tags', () => {
		const before = ticket({ tags: ['a', 'b'] });
		expect(applied(before, { add_tags: ['b', 'c'] }).tags).toEqual(['a', 'b', 'c']);
		expect(applied(before, { remove_tags: ['a'] }).tags).toEqual(['b']);
		expect('add_tags' in applied(before, { add_tags: ['c'] })).toBe(false);
	});

	it('forgets why a ticket had ended once it is open again', () => {
		const before = ticket({ status: 'resolved', resolution: 'fixed' });
		expect(applied(before, { status: 'open' }).resolution).toBe('none');
	});
});

describe('the way back from a change', () => {
	it('has what was there before, of the fields that were set', () => {
		const before = ticket({ priority: 'low', tags: ['a'], assignee: { id: 'x', name: 'Xu' } });
		expect(reversal(before, { priority: 'high' })).toEqual({ priority: 'low' });
		expect(reversal(before, { assignee: null })).toEqual({ assignee: { id: 'x' } });
		expect(reversal({ ...before, assignee: null }, { assignee: { id: 'x' } })).toEqual({
			assignee: null
		});
		expect(reversal(before, { add_tags: ['b'] })).toEqual({ tags: ['a'] });
		expect(reversal(before, { remove_tags: ['a'] })).toEqual({ tags: ['a'] });
	});

	it('opens what was open, without a resolution', () => {
		const before = ticket({ status: 'in_progress', resolution: 'none' });
		const patch = { status: 'resolved', resolution: 'fixed', resolution_note: 'x' } as const;
		expect(reversal(before, patch)).toEqual({ status: 'in_progress' });
	});

	it('resolves what was resolved, for the same reason', () => {
		const before = ticket({ status: 'resolved', resolution: 'shipped', resolution_note: 'In 4.8' });
		expect(reversal(before, { status: 'open' })).toEqual({
			status: 'resolved',
			resolution: 'shipped',
			resolution_note: 'In 4.8'
		});
	});

	it('is none from closing, which is final', () => {
		expect(reversal(ticket({}), { status: 'closed', resolution: 'spam' })).toBeNull();
	});
});

describe('a field is contested', () => {
	const base = ticket({ title: 'a', priority: 'normal' });

	it('if somebody else has set it to something else', () => {
		expect(contested(base, { ...base, title: 'b' }, { title: 'c' })).toEqual(['title']);
	});

	it('but not if they set what I want, or another field', () => {
		expect(contested(base, { ...base, title: 'c' }, { title: 'c' })).toEqual([]);
		expect(contested(base, { ...base, priority: 'high' }, { title: 'c' })).toEqual([]);
	});

	it('for a person by who they are, not by their name', () => {
		const [ann, bea] = [
			{ id: 'a', name: 'Ann' },
			{ id: 'b', name: 'Bea' }
		];
		const theirs = { ...base, assignee: ann };
		expect(contested(base, theirs, { assignee: bea })).toEqual(['assignee']);
		expect(contested(base, theirs, { assignee: { id: 'a', name: 'Anne' } })).toEqual([]);
		expect(contested(theirs, { ...theirs, assignee: null }, { assignee: bea })).toEqual([
			'assignee'
		]);
	});
});
