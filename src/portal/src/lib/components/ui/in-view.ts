/** Of a row that scrolls sideways, show what is current: `{@attach inView(() => page.url.pathname)}`. */
export function inView(changes: () => unknown): (row: HTMLElement) => void {
	return (row) => {
		changes();
		const current = row.querySelector<HTMLElement>('[aria-current]');
		if (!current || row.scrollWidth <= row.clientWidth) return;
		const [at, around] = [current.getBoundingClientRect(), row.getBoundingClientRect()];
		row.scrollLeft += at.left + at.width / 2 - around.left - around.width / 2;
	};
}
