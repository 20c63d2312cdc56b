/** A piece of a guide: what is said, and the command that follows. */
export type Step = { title: string; command: string };

/** The commands of the quickstart guide, which tests execute: what is shown here is what was tested. */
export function steps(guide: string): Step[] {
	const found: Step[] = [];
	for (const section of guide.split(/^## /m).slice(1)) {
		const title = section.slice(0, section.indexOf('\n')).trim();
		const command = /```bash\n([\s\S]*?)```/.exec(section)?.[1];
		if (command) found.push({ title, command: command.trimEnd() });
	}
	return found;
}

/** What a shell needs to know before the commands. */
export function exports(api: string, token: string): string {
	return `export API=${api}\nexport TOKEN=${token}`;
}
