import adapter from '@sveltejs/adapter-static';
import { sveltekit } from '@sveltejs/kit/vite';
import tailwindcss from '@tailwindcss/vite';
import { svelteTesting } from '@testing-library/svelte/vite';
import { defineConfig } from 'vitest/config';

/** The service that `vite dev` asks: `make dev` names it. */
const service = process.env.TICKETING_URL ?? 'http://127.0.0.1:8080';
const out = process.env.TICKETING_PORTAL_OUT ?? '../ticketing/web/portal';

export default defineConfig({
	plugins: [
		tailwindcss(),
		sveltekit({
			compilerOptions: { runes: true },
			adapter: adapter({ pages: out, assets: out, fallback: 'index.html', precompress: true }),
			// A page asks for no newer version of itself: a release says so in every answer's header.
			version: { name: process.env.TICKETING_RELEASE ?? 'dev', pollInterval: 0 }
		}),
		svelteTesting()
	],
	server: {
		proxy: Object.fromEntries(
			['/api', '/ops', '/docs', '/problems', '/dev', '/icon.svg', '/health'].map((path) => [
				path,
				{ target: service, changeOrigin: false }
			])
		)
	},
	build: {
		target: 'es2022',
		reportCompressedSize: false,
		rolldownOptions: {
			output: {
				codeSplitting: {
					// Kit sets base and version before it imports the app: no module of ours may come with its start.
					groups: [
						{
							name: 'libraries',
							test: /node_modules[\\/](svelte|esm-env|@tanstack|openapi-fetch|eventsource-parser)[\\/]/
						},
						{
							name: 'ground',
							test: /src[\\/]lib[\\/](texts[\\/](language|moments|shell[\\/](en|index)|words[\\/](en|index))|components[\\/]ui[\\/](button|kbd|menu|input|select|textarea|field|badge|skeleton))\.|lucide[\\/]svelte[\\/]dist[\\/](Icon|icons[\\/](check|circle-check|triangle-alert|x|search|plus|ticket|inbox|settings|code-xml|circle-user|wifi-off|arrow-left|ellipsis)\.)/
						}
					]
				}
			}
		}
	},
	test: {
		environment: 'jsdom',
		include: ['src/**/*.test.ts'],
		restoreMocks: true
	}
});
