import type { components } from './schema';

type Problem = components['schemas']['Problem'];

/** What the service answered instead of doing what was asked: a problem document (RFC 9457). */
export class ApiError extends Error {
	constructor(
		readonly status: number,
		readonly problem: Pick<Problem, 'code' | 'title' | 'detail'> & Partial<Problem>,
		/** The id of the request, to tell whoever operates the service. */
		readonly requestId: string = '',
		/** Seconds to wait before the next try, from `Retry-After`. */
		readonly retryAfter: number = 0
	) {
		super(problem.detail || problem.title);
	}

	/** What is wrong with each field, by its name or path: `title`, `environment/os`. */
	get fields(): Record<string, string> {
		const found: Record<string, string> = {};
		for (const each of this.problem.errors ?? [])
			if (each.pointer) found[each.pointer.replace(/^#?\//, '')] ??= each.detail;
		return found;
	}
}

/** The request got no answer: no network, or no service. */
export class Unreachable extends Error {}

/** The service, or what it needs, is away (RFC 9110, 15.6.3 to 15.6.5). */
export const AWAY: ReadonlySet<number> = new Set([502, 503, 504]);

/** Whether the same request may well succeed a little later; 429 is for who asks too much (RFC 6585, 4). */
export function passing(error: unknown): boolean {
	if (error instanceof ApiError) return error.status === 429 || AWAY.has(error.status);
	return error instanceof Unreachable;
}

export async function problemOf(response: Response): Promise<ApiError> {
	let problem: ConstructorParameters<typeof ApiError>[1] = {
		code: 'unknown',
		title: response.statusText || String(response.status),
		detail: ''
	};
	try {
		problem = await response.clone().json();
	} catch {
		// A proxy answered, not the service.
	}
	return new ApiError(
		response.status,
		problem,
		response.headers.get('X-Request-Id') ?? '',
		Number(response.headers.get('Retry-After')) || 0
	);
}
