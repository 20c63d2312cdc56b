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

	done(text: string, action?: Action): void {
		this.#add({ text, tone: 'done', action });
	}

	failed(text: string, action?: Action): void {
		this.#add({ text, tone: 'failed', action });
	}

	dismiss(id: number): void {
		this.list = this.list.filter((toast) => toast.id !== id);
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
		setTimeout(() => this.dismiss(id), SECONDS[toast.tone] * (toast.action ? 2000 : 1000));
	}
}

export const toasts = new Toasts();
