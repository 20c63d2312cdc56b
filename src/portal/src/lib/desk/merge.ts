/** A part of a text after two people have changed it: agreed, or theirs against mine. */
export type Part = { text: string[] } | { base: string[]; theirs: string[]; mine: string[] };

/** The lines that two texts have in common, as pairs of places (longest common subsequence). */
function common(one: readonly string[], other: readonly string[]): [number, number][] {
	const lengths = Array.from({ length: one.length + 1 }, () =>
		new Uint16Array(other.length + 1).fill(0)
	);
	for (let i = one.length - 1; i >= 0; i--)
		for (let j = other.length - 1; j >= 0; j--)
			lengths[i]![j] =
				one[i] === other[j]
					? lengths[i + 1]![j + 1]! + 1
					: Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!);
	const pairs: [number, number][] = [];
	for (let i = 0, j = 0; i < one.length && j < other.length;)
		if (one[i] === other[j]) pairs.push([i++, j++]);
		else if (lengths[i + 1]![j]! >= lengths[i]![j + 1]!) i++;
		else j++;
	return pairs;
}

/** Beyond this many lines, a text is one part: comparing would hold up the page. */
const LONGEST = 2000;

/**
 * Merge two changes of one text, line by line (diff3: Khanna, Kunal and Pierce, "A Formal Investigation of Diff3", 2007).
 * Where only one has changed something, theirs or mine holds; where both have, the part says so.
 */
export function merge(base: string, theirs: string, mine: string): Part[] {
	const [o, a, b] = [base, theirs, mine].map((text) => text.split('\n')) as [
		string[],
		string[],
		string[]
	];
	if (Math.max(o.length, a.length, b.length) > LONGEST) return settled(o, a, b);
	const inTheirs = new Map(common(o, a));
	const inMine = new Map(common(o, b));
	const parts: Part[] = [];
	let [i, j, k] = [0, 0, 0];
	for (let at = 0; at <= o.length; at++) {
		const end = at === o.length;
		const [ja, kb] = end ? [a.length, b.length] : [inTheirs.get(at), inMine.get(at)];
		if (ja === undefined || kb === undefined) continue;
		parts.push(...settled(o.slice(i, at), a.slice(j, ja), b.slice(k, kb)));
		if (!end) parts.push({ text: [o[at]!] });
		[i, j, k] = [at + 1, ja + 1, kb + 1];
	}
	return joined(parts);
}

function settled(base: string[], theirs: string[], mine: string[]): Part[] {
	const [o, a, b] = [base, theirs, mine].map((lines) => lines.join('\n'));
	const [none, noneTheirs, noneMine] = [base, theirs, mine].map((lines) => lines.length === 0);
	if (none && noneTheirs && noneMine) return [];
	if (a === b && noneTheirs === noneMine) return [{ text: theirs }];
	if (o === a && none === noneTheirs) return [{ text: mine }];
	if (o === b && none === noneMine) return [{ text: theirs }];
	return [{ base, theirs, mine }];
}

function joined(parts: Part[]): Part[] {
	const all: Part[] = [];
	for (const part of parts) {
		const last = all.at(-1);
		if ('text' in part && last && 'text' in last) last.text.push(...part.text);
		else if (!('text' in part) || part.text.length > 0)
			all.push('text' in part ? { text: [...part.text] } : part);
	}
	return all;
}

/** Whether somebody has to decide. */
export function conflicts(parts: readonly Part[]): boolean {
	return parts.some((part) => !('text' in part));
}

/** The text of merged parts; where both have changed something, that of one of them. */
export function text(parts: readonly Part[], prefer: 'theirs' | 'mine'): string {
	return parts.flatMap((part) => ('text' in part ? part.text : part[prefer])).join('\n');
}
