import { afterEach, describe, expect, it, vi } from 'vitest';
import { neverLost } from './keyboard';

describe('the keyboard', () => {
	let stop = () => {};
	afterEach(() => stop());

	function page(html: string): HTMLElement {
		document.body.innerHTML = `<main>${html}</main><div id="beside"><button>Yes</button></div>`;
		for (const each of document.querySelectorAll('h1, h2, main'))
			(each as HTMLElement).checkVisibility = () => true;
		const main = document.querySelector('main')!;
		stop = neverLost(main);
		return main;
	}
	const has = (selector: string) =>
		vi.waitFor(() => expect(document.activeElement).toBe(document.querySelector(selector)));

	it('goes to the heading before what is taken away', async () => {
		const main = page('<h1>T</h1><h2 id="a">A</h2><p><button>Go</button></p><h2>B</h2>');
		main.querySelector('button')!.focus();
		main.querySelector('p')!.remove();
		await has('#a');
	});

	it('goes to one that is left, if its own section is taken away', async () => {
		const main = page('<h1>T</h1><section><h2>A</h2><button>Go</button></section>');
		main.querySelector('button')!.focus();
		main.querySelector('section')!.remove();
		await has('h1');
	});

	it('comes back from a dialog to where it was opened', async () => {
		const main = page('<h1>T</h1><h2 id="a">A</h2><p><button>Go</button></p>');
		main.querySelector('button')!.focus();
		document.querySelector<HTMLElement>('#beside button')!.focus();
		main.querySelector('p')!.remove();
		document.querySelector('#beside')!.remove();
		await has('#a');
	});

	it('is left alone where the page has given it to something, or somebody has clicked beside it', async () => {
		const main = page('<h1>T</h1><p><button>Go</button></p><input />');
		main.querySelector('button')!.focus();
		main.querySelector('p')!.remove();
		main.querySelector('input')!.focus();
		main.append('…');
		await new Promise((done) => setTimeout(done, 100));
		expect(document.activeElement).toBe(main.querySelector('input'));
		main.querySelector('input')!.blur();
		main.append('…');
		await new Promise((done) => setTimeout(done, 100));
		expect(document.activeElement).toBe(document.body);
	});
});
