// Usage: node measure.mjs CHROMIUM RUNS < PAGES      PAGES: [{"name", "url", "cookie"}]; writes a line of JSON for each
// page and form, with the median of each figure.
import { readFileSync } from 'node:fs';
import { launch } from 'chrome-launcher';
import lighthouse, { desktopConfig } from 'lighthouse';

const [chromePath, runs] = process.argv.slice(2);
const pages = JSON.parse(readFileSync(0, 'utf8'));
const FORMS = { mobile: undefined, desktop: desktopConfig };
const CATEGORIES = ['performance', 'accessibility', 'best-practices'];
const TIMES = { paint: 'largest-contentful-paint', blocked: 'total-blocking-time', shift: 'cumulative-layout-shift' };

const median = (values) => values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)];
const medians = (all) => Object.fromEntries(Object.keys(all[0]).map((name) => [name, median(all.map((one) => one[name]))]));

async function measured(port, page, config) {
	const flags = { port, onlyCategories: CATEGORIES, extraHeaders: page.cookie ? { Cookie: page.cookie } : {} };
	const { lhr } = await lighthouse(page.url, flags, config);
	if (lhr.runtimeError) throw new Error(`${page.url}: ${lhr.runtimeError.message}`);
	if (lhr.finalDisplayedUrl !== page.url) throw new Error(`${page.url} led to ${lhr.finalDisplayedUrl}`);
	const scores = CATEGORIES.map((name) => [name, Math.round(lhr.categories[name].score * 100)]);
	const times = Object.entries(TIMES).map(([name, audit]) => [name, lhr.audits[audit].numericValue]);
	return Object.fromEntries([...scores, ...times]);
}

const chrome = await launch({
	chromePath,
	chromeFlags: ['--headless=new', '--no-sandbox', '--disable-background-networking', '--disable-component-update']
});
try {
	for (const page of pages)
		for (const [form, config] of Object.entries(FORMS)) {
			const all = [];
			for (let run = 0; run < Number(runs); run++) all.push(await measured(chrome.port, page, config));
			console.log(JSON.stringify({ name: page.name, form, ...medians(all) }));
		}
} finally {
	await chrome.kill();
}
