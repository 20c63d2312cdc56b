import { describe, expect, it } from 'vitest';
import { Edited } from './edited.svelte';

describe('what is edited', () => {
	it('is changed once it differs from what was read, and no longer when it is put back', () => {
		const form = new Edited<{ name: string; types: string[] }>();
		expect(form.changed).toBe(false);
		form.begin({ name: 'a', types: ['bug'] }, 'v1');
		expect(form.changed).toBe(false);
		form.value!.name = 'b';
		expect(form.changed).toBe(true);
		form.value!.name = 'a';
		expect(form.changed).toBe(false);
		form.value!.types.push('support');
		expect(form.changed).toBe(true);
	});

	it('stays as it was typed when something else of the same is changed', () => {
		const form = new Edited<{ name: string }>();
		form.begin({ name: 'a' }, 'v1');
		form.value!.name = 'b';
		form.goOn({ name: 'a' }, 'v2');
		expect([form.value!.name, form.version, form.changed]).toEqual(['b', 'v2', true]);
		form.begin({ name: 'b' }, 'v3');
		form.goOn({ name: 'c' }, 'v4');
		expect([form.value!.name, form.version, form.changed]).toEqual(['c', 'v4', false]);
	});
});
