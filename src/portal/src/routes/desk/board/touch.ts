/** How long a finger rests on a card before it takes it along: a quick swipe scrolls, as ever. */
const LONG_PRESS_MS = 400;
/** A finger that moves further than this meanwhile swipes. */
const SLACK_PX = 10;
/** This close to the edge of the board, it scrolls. */
const EDGE_PX = 40;
const STEP_PX = 12;

/** Dragging cards by touch; the drag and drop of browsers knows only the mouse. */
export function byTouch(on: {
	start: (number: number) => void;
	/** The column under the finger, by its status; none beside them. */
	over: (status: string | null) => void;
	end: (dropped: boolean) => void;
}): (board: HTMLElement) => () => void {
	return (board) => {
		let card: HTMLElement | null = null;
		/** What is seen under the finger: the card itself would be cut off by its column. */
		let ghost: HTMLElement | null = null;
		let dragging = false;
		let from = { x: 0, y: 0 };
		let timer: ReturnType<typeof setTimeout>;

		function quit(dropped: boolean): void {
			clearTimeout(timer);
			if (!card) return;
			card.draggable = true;
			ghost?.remove();
			card = ghost = null;
			if (!dragging) return;
			// The click that follows would open the ticket.
			setTimeout(() => (dragging = false));
			on.end(dropped);
		}
		function take(): void {
			dragging = true;
			const { left, top, width } = card!.getBoundingClientRect();
			ghost = card!.cloneNode(true) as HTMLElement;
			ghost.inert = true;
			ghost.dataset.card = '';
			for (const each of ghost.querySelectorAll('[popover]')) each.remove();
			Object.assign(ghost.style, {
				position: 'fixed',
				left: `${left}px`,
				top: `${top}px`,
				width: `${width}px`,
				zIndex: '20',
				pointerEvents: 'none'
			});
			board.append(ghost);
			on.start(Number(card!.dataset.card));
		}
		function pointerdown(event: PointerEvent): void {
			const target = event.target as Element;
			if (event.pointerType !== 'touch' || !event.isPrimary || target.closest('button')) return;
			card = target.closest<HTMLElement>('[data-card]');
			if (!card) return;
			card.draggable = false;
			from = { x: event.clientX, y: event.clientY };
			timer = setTimeout(take, LONG_PRESS_MS);
		}
		function pointermove({ clientX: x, clientY: y }: PointerEvent): void {
			if (!card) return;
			const [dx, dy] = [x - from.x, y - from.y];
			if (!dragging) {
				if (Math.hypot(dx, dy) > SLACK_PX) quit(false);
				return;
			}
			ghost!.style.transform = `translate(${dx}px, ${dy}px)`;
			const { left, right } = board.getBoundingClientRect();
			board.scrollLeft += x > right - EDGE_PX ? STEP_PX : x < left + EDGE_PX ? -STEP_PX : 0;
			const column = document
				.elementsFromPoint(x, y)
				.map((each) => each.closest<HTMLElement>('[data-column]'))
				.find((each) => each);
			on.over(column?.dataset.column ?? null);
		}
		const pointerup = () => quit(true);
		const pointercancel = () => quit(false);
		function unlessDragging(event: Event): void {
			if (dragging) event.preventDefault();
		}
		/** A long press would open the menu of the link. */
		function contextmenu(event: Event): void {
			if (card) event.preventDefault();
		}
		const heard: [string, EventListener][] = [
			['pointerdown', pointerdown as EventListener],
			['pointermove', pointermove as EventListener],
			['pointerup', pointerup],
			['pointercancel', pointercancel],
			['touchmove', unlessDragging],
			['click', unlessDragging],
			['contextmenu', contextmenu]
		];
		for (const [name, listener] of heard)
			board.addEventListener(name, listener, { passive: false, capture: true });
		return () => {
			quit(false);
			for (const [name, listener] of heard) board.removeEventListener(name, listener, true);
		};
	};
}
