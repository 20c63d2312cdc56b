import { matchesGlob } from 'node:path';
import adapter from '@sveltejs/adapter-static';
import { sveltekit } from '@sveltejs/kit/vite';
import tailwindcss from '@tailwindcss/vite';
import { svelteTesting } from '@testing-library/svelte/vite';
import { defineConfig } from 'vitest/config';

/** The service that `vite dev` asks: `make dev` names it. */
const service = process.env.TICKETING_URL ?? 'http://127.0.0.1:8080';
const out = process.env.TICKETING_PORTAL_OUT ?? '../ticketing/web/portal';

/** What almost every page has, and what the pages of a ticket have besides. */
const GROUND = modules(
	'routes/+layout.svelte',
	'lib/api/{client,problem,queries,reading}.ts',
	'lib/components/app/{avatar,banner,empty,failure,header,later,person,status-badge,status-icon,time-ago,toaster,type-icon}.svelte',
	'lib/components/ui/{badge,button,kbd,menu,skeleton}.svelte',
	'lib/state/{appearance.svelte,installation,live.svelte,name,part,preferences,session.svelte,shortcuts.svelte,toasts.svelte,visitors}.ts',
	'lib/texts/{language.svelte,moments.svelte,reason}.ts',
	'lib/texts/{shell,words}/{en,index}.ts',
	'@lucide/svelte/dist/{Icon,context}.*',
	'@lucide/svelte/dist/utils/*',
	'@lucide/svelte/dist/icons/{arrow-left,bug,check,circle-check,circle-question-mark,circle-user,cloud-off,code-xml,ellipsis,hourglass,inbox,lightbulb,lock,plus,search,search-x,settings,ticket,triangle-alert,wifi-off,x}.*'
);
/** What forms consist of. */
const FORMS = modules('lib/components/ui/{field,input,select,textarea}.svelte');
/** What is written, wherever somebody writes; and what a ticket's pages show of what was. */
const WRITING = modules(
	'lib/components/app/{markdown-editor,rendered}.svelte',
	'lib/state/draft.svelte.ts',
	'lib/texts/{environment,markdown}/{en,index}.ts'
);
const CONVERSATION = modules(
	'lib/components/app/ticket/{comment,happening,post,thread}.svelte',
	'lib/components/app/ticket/timeline.ts',
	'lib/texts/{thread,timeline}/{en,index}.ts'
);

function modules(...globs: string[]): (id: string) => boolean {
	return (id) => globs.some((glob) => matchesGlob(id, `**/${glob}`));
}

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
					// What compresses together is smaller: forty small files of a page weigh a tenth more than one.
					groups: [
						// Kit's entry imports this, and sets base and version only then: no module of ours may come with it.
						{ name: 'start', test: /vite[\\/]preload-helper|client[\\/]payload/, priority: 4 },
						{
							name: 'libraries',
							test: /node_modules[\\/](svelte|esm-env|@tanstack|openapi-fetch|eventsource-parser)[\\/]/,
							priority: 2
						},
						{ name: 'ground', test: GROUND, priority: 1 },
						{ name: 'forms', test: FORMS },
						{ name: 'writing', test: WRITING },
						{ name: 'conversation', test: CONVERSATION }
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
