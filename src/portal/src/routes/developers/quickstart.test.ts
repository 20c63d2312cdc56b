import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import de from '#lib/texts/developers/de.ts';
import en from '#lib/texts/developers/en.ts';
import { steps } from './quickstart';

const GUIDES = '../../docs/guides';

describe('the quickstart', () => {
	it('has the commands of the guide', () => {
		const found = steps(readFileSync(`${GUIDES}/quickstart.md`, 'utf8'));
		expect(found.map((step) => step.title)).toEqual(['See who you are', 'Open a ticket']);
		expect(found.every((step) => step.command.includes('$API'))).toBe(true);
	});
});

describe('the guides', () => {
	it('are all on the page', () => {
		const files = readdirSync(GUIDES).map((name) => name.replace(/\.md$/, ''));
		expect(Object.keys(en.guide).sort()).toEqual([...files, 'changelog'].sort());
		expect(Object.keys(de.guide)).toEqual(Object.keys(en.guide));
	});
});
