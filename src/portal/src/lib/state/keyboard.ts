/** How long a page has to give the keyboard to something by itself. */
const PATIENCE_MS = 60;

/**
 * The keyboard is never lost: when what has it is taken away, such as a button that has done its work, the heading
 * before it takes it. Otherwise the next Tab begins at the top of the page, and a screen reader falls silent.
 */
export function neverLost(main: HTMLElement): () => void {
	let last: Element | null = null;
	/** The headings before what had the keyboard last on the page, the nearest first; not those of dialogs. */
	let before: HTMLElement[] = [];
	let timer: ReturnType<typeof setTimeout>;

	const headings = () => [...main.querySelectorAll<HTMLElement>('h1, h2, h3')];
	function note(element: Element | null): void {
		last = element;
		if (last && main.contains(last))
			before = headings()
				.filter((each) => each.compareDocumentPosition(last!) & Node.DOCUMENT_POSITION_FOLLOWING)
				.reverse();
	}
	function look(): void {
		// What is still there was left by a click beside it.
		if (document.activeElement !== document.body || !last || last.isConnected) return;
		const heir = [...before, ...headings(), main].find(
			(each) => each.isConnected && each.checkVisibility()
		);
		heir?.setAttribute('tabindex', '-1');
		heir?.focus({ preventScroll: true });
	}
	const watcher = new MutationObserver(() => {
		if (document.activeElement !== document.body) return;
		clearTimeout(timer);
		timer = setTimeout(look, PATIENCE_MS);
	});
	if (document.activeElement !== document.body) note(document.activeElement);
	watcher.observe(document.body, { childList: true, subtree: true });
	const onfocusin = ({ target }: FocusEvent) => note(target as Element);
	document.addEventListener('focusin', onfocusin);
	return () => {
		watcher.disconnect();
		clearTimeout(timer);
		document.removeEventListener('focusin', onfocusin);
	};
}
