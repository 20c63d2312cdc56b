export type Toast = { id: number; text: string; tone: 'done' | 'failed'; action?: Action };
type Action = { label: string; run: () => void };

/** How long a toast stays; one with something to do or to read stays longer. */
const SECONDS = { done: 4, failed: 10 };

/** Short messages about what was just done. A live region reads them out. */
class Toasts {
	list = $state.raw<Toast[]>([]);
	/** The height of what acts at the bottom of the window, such as a composer: toasts stay above it. */
	floor = $state(0);
	#next = 1;
	#timers = new Map<number, ReturnType<typeof setTimeout>>();

	done(text: string, action?: Action): void {
		this.#add({ text, tone: 'done', action });
	}

	failed(text: string, action?: Action): void {
		this.#add({ text, tone: 'failed', action });
	}

	dismiss(id: number): void {
		this.hold(id);
		this.#timers.delete(id);
		this.list = this.list.filter((toast) => toast.id !== id);
	}

	/** Keep it for now. */
	hold(id: number): void {
		clearTimeout(this.#timers.get(id));
	}

	/** Let it go in a while. */
	leave({ id, tone, action }: Toast): void {
		this.hold(id);
		const seconds = SECONDS[tone] * (action ? 2 : 1);
		this.#timers.set(
			id,
			setTimeout(() => this.dismiss(id), seconds * 1000)
		);
	}

	/** Stay above something at the bottom of the window; for an `$effect`, which ends it. */
	above(height: number): () => void {
		this.floor = height;
		return () => {
			this.floor = 0;
		};
	}
	#add(toast: Omit<Toast, 'id'>): void {
		const id = this.#next++;
		this.list = [...this.list.slice(-2), { ...toast, id }];
		this.leave({ ...toast, id });
	}
}

export const toasts = new Toasts();
