/** Which rows to show of a list that is longer than the screen, and how much room the others take. */
export type Shown = { start: number; end: number; above: number; total: number };

/** `scrolled`, `height` and `row` are in pixels; `beyond` is the number of rows kept ready on either side. */
export function shown(
	scrolled: number,
	height: number,
	row: number,
	count: number,
	beyond = 8
): Shown {
	const first = Math.floor(Math.max(0, Math.min(scrolled, count * row - height)) / row);
	const start = Math.max(0, first - beyond);
	const end = Math.min(count, first + Math.ceil(height / row) + 1 + beyond);
	return { start, end, above: start * row, total: count * row };
}

/** Where to scroll to, so that a row is seen whole; the same place if it is. `covered` is hidden by a header. */
export function reveal(
	place: number,
	scrolled: number,
	height: number,
	row: number,
	covered = 0
): number {
	const top = place * row;
	if (top < scrolled) return top;
	if (top + row > scrolled + height - covered) return top + row - height + covered;
	return scrolled;
}
