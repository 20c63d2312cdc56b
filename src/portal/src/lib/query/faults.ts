import { ApiError } from '#lib/api/problem.ts';

/** What is wrong with a query, and where, in characters. */
export type QueryFault = {
	code: string;
	offset: number;
	length: number;
	detail: string;
	/** What was meant, in place of what stands there. */
	suggestion?: string | undefined;
};

/** What an answer says of the query that it refuses. */
export function faultsOf(error: unknown): QueryFault[] {
	if (!(error instanceof ApiError)) return [];
	return (error.problem.errors ?? [])
		.filter(({ parameter }) => parameter === 'q')
		.map(({ code, offset, length, detail, suggestion }) => ({
			code,
			// What is wrong with all of it has no place.
			offset: offset ?? Infinity,
			length: length ?? 0,
			detail,
			suggestion: suggestion ?? undefined
		}));
}
