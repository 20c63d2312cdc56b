import { ApiError } from '#lib/api/problem.ts';
import { shell } from './shell/index.ts';

/** Why something was not done, for whoever wanted it. */
export function reason(error: unknown): string {
	return error instanceof ApiError ? error.message : shell.t.error.unreachable;
}
