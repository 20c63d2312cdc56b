type Agent = Pick<Navigator, 'userAgent' | 'language'> & {
	userAgentData?: { platform?: string; brands?: { brand: string; version: string }[] };
};

const BROWSERS: readonly [RegExp, string][] = [
	[/\bEdg\/(\d+)/, 'Edge'],
	[/\bOPR\/(\d+)/, 'Opera'],
	[/\bFirefox\/(\d+)/, 'Firefox'],
	[/\bChrome\/(\d+)/, 'Chrome'],
	[/\bVersion\/(\d+(?:\.\d+)?).*Safari/, 'Safari']
];
const SYSTEMS: readonly [RegExp, string][] = [
	[/\bAndroid ([\d.]+)/, 'Android'],
	[/\b(?:iPhone|CPU) OS ([\d_]+)/, 'iOS'],
	[/\bMac OS X\b/, 'macOS'],
	[/\bWindows\b/, 'Windows'],
	[/\bCrOS\b/, 'ChromeOS'],
	[/\bLinux\b/, 'Linux']
];

function named(agent: string, known: readonly [RegExp, string][]): string {
	for (const [pattern, name] of known) {
		const found = pattern.exec(agent);
		if (found) return [name, found[1]?.replaceAll('_', '.')].filter(Boolean).join(' ');
	}
	return '';
}

/** What this browser tells of itself: what one is asked for first when something does not work. */
export function detected(
	agent: Agent = navigator,
	view: Pick<Window, 'devicePixelRatio'> & { screen: Pick<Screen, 'width' | 'height'> } = window
): [name: string, fact: string][] {
	const brand = agent.userAgentData?.brands?.findLast(({ brand }) => !/not.?a.?brand/i.test(brand));
	const density = Math.round(view.devicePixelRatio * 100) / 100;
	const facts: [string, string][] = [
		['browser', brand ? `${brand.brand} ${brand.version}` : named(agent.userAgent, BROWSERS)],
		['os', agent.userAgentData?.platform || named(agent.userAgent, SYSTEMS)],
		['language', agent.language],
		[
			'screen',
			`${view.screen.width} × ${view.screen.height}${density === 1 ? '' : ` (${density}×)`}`
		],
		['time_zone', Intl.DateTimeFormat().resolvedOptions().timeZone]
	];
	return facts.filter(([, fact]) => fact);
}
