/** The card beside the one that has the keyboard: `down` in its column, or `across` to another one. */
export function beside(board: HTMLElement, across: number, down: number): HTMLElement | undefined {
	const columns = [...board.querySelectorAll('[data-column]')]
		.map((column) => [...column.querySelectorAll<HTMLElement>('[data-card]')])
		.filter((cards) => cards.length > 0);
	const card = document.activeElement?.closest<HTMLElement>('[data-card]');
	const column = columns.findIndex((cards) => card && cards.includes(card));
	if (!card || column < 0) return columns[0]?.[0];
	const place = columns[column]!.indexOf(card);
	const there = columns[Math.max(0, Math.min(column + across, columns.length - 1))]!;
	return there[Math.max(0, Math.min(place + down, there.length - 1))];
}
