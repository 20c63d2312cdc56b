import { describe, expect, it } from 'vitest';
import { detected } from './environment';

const screen = { devicePixelRatio: 2, screen: { width: 390, height: 844 } };
const facts = (userAgent: string, more: object = {}) =>
	Object.fromEntries(detected({ userAgent, language: 'de-AT', ...more }, screen));

describe('what a browser tells of itself', () => {
	it.each([
		[
			'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0',
			'Firefox 142',
			'Linux'
		],
		[
			'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
			'Safari 18.5',
			'iOS 18.5'
		],
		[
			'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
			'Chrome 140',
			'macOS'
		],
		[
			'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0',
			'Edge 140',
			'Windows'
		],
		[
			'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36',
			'Chrome 140',
			'Android 15'
		]
	])('%s', (agent, browser, os) => {
		expect(facts(agent)).toMatchObject({ browser, os });
	});

	it('prefers what the browser says outright', () => {
		const userAgentData = {
			platform: 'Linux',
			brands: [
				{ brand: 'Chromium', version: '140' },
				{ brand: 'Not?A_Brand', version: '24' }
			]
		};
		expect(facts('Mozilla/5.0', { userAgentData })).toMatchObject({
			browser: 'Chromium 140',
			os: 'Linux'
		});
	});

	it('tells screen, language and time zone, and leaves out what it does not know', () => {
		const found = facts('curl/8');
		expect(found).toMatchObject({ language: 'de-AT', screen: '390 × 844 (2×)' });
		expect(Object.keys(found)).toEqual(['language', 'screen', 'time_zone']);
	});
});
