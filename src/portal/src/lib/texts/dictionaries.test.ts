import { globSync, readFileSync } from 'node:fs';
import { parse, type AST } from 'svelte/compiler';
import { describe, expect, it } from 'vitest';

const LETTER = /\p{L}{2,}/u;
/** As many words in a row are the same in two languages only by mistake. */
const SENTENCE = /(\p{L}+[ ,–-]+){2}\p{L}+/u;
const SAID = new Set(['alt', 'aria-label', 'aria-description', 'label', 'placeholder', 'title']);

/** The texts that stand in the markup of a component, where no dictionary gives them. */
function literal(source: string): string[] {
	const found: string[] = [];
	const visit = (node: unknown): void => {
		if (Array.isArray(node)) node.forEach(visit);
		if (!node || typeof node !== 'object' || Array.isArray(node)) return;
		const each = node as AST.Text | AST.Attribute | { type?: string };
		if (each.type === 'Text' && LETTER.test((each as AST.Text).data))
			found.push((each as AST.Text).data.trim());
		if (each.type === 'Attribute') {
			const { name, value } = each as AST.Attribute;
			if (SAID.has(name)) visit(value);
			return;
		}
		if (each.type === 'StyleDirective') return;
		Object.entries(each).forEach(([key, child]) => key !== 'parent' && visit(child));
	};
	visit(parse(source, { modern: true }).fragment);
	return found;
}

/** Every text of a dictionary, by its path; functions are called. */
function texts(part: unknown, path = ''): [string, string][] {
	if (typeof part === 'string') return [[path, part]];
	if (typeof part === 'function')
		return [[path, String((part as (...given: string[]) => string)('1', '2', '3'))]];
	return Object.entries(part as object).flatMap(([key, value]) => texts(value, `${path}/${key}`));
}

describe('no text stands outside the dictionaries', () => {
	it.each(globSync('src/**/*.svelte'))('%s', (file) => {
		expect(literal(readFileSync(file, 'utf8'))).toEqual([]);
	});

	it('would be noticed', () => {
		expect(literal('<p>Hello</p>{#if a}<b title="Bold">{x}</b>{/if}')).toEqual(['Hello', 'Bold']);
	});
});

describe.each(globSync('src/lib/texts/*/en.ts').map((file) => file.split('/').at(-2)!))(
	'%s',
	(area) => {
		it.each(['de', 'ar'])('is whole in %s', async (locale) => {
			const english = new Map(texts((await import(`./${area}/en.ts`)).default));
			const other = new Map(texts((await import(`./${area}/${locale}.ts`)).default));
			expect([...other.keys()].sort()).toEqual([...english.keys()].sort());
			const untranslated = [...other].filter(
				([path, text]) => text === english.get(path) && SENTENCE.test(text)
			);
			expect(untranslated).toEqual([]);
		});
	}
);
