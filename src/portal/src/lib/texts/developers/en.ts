export default {
	title: 'Build on it',
	intro:
		'Everything this portal does goes through one published API. The contract is tested on every change: what it says is true.',
	contract: (version: string, release: string) => `Contract ${version}, release ${release}`,
	quickstart: 'Quickstart',
	quickstartText: 'Open a ticket from your shell in a minute.',
	token: 'Make a token for these commands',
	tokenText: 'It may read and write tickets as you, and ends after a day.',
	tokenMade: 'The commands below hold your token. It is shown only now.',
	tokenName: 'Quickstart',
	signIn: 'Sign in to have your own token filled in.',
	guides: 'Guides',
	reference: 'Reference',
	downloads: 'Downloads',
	guide: {
		quickstart: ['Quickstart', 'A first ticket by curl, and by a program.'],
		authentication: ['Authentication', 'Tokens, scopes, sessions and their rotation.'],
		texts: ['Texts', 'Markdown, and the HTML that the service makes of it.'],
		errors: ['Errors', 'What a program does when a request is refused.'],
		paging: ['Paging', 'Reading lists to their end, once each.'],
		queries: ['Queries', 'The language that finds tickets, and what its errors say.'],
		concurrency: ['Concurrency and retries', 'Versions, idempotency keys, safe writes.'],
		sync: ['Sync', 'Keeping a copy current by feed and stream.'],
		webhooks: ['Webhooks', 'Receiving and verifying messages, in four languages.'],
		import: ['Import', 'Bringing issues from elsewhere.'],
		clients: ['SDKs', 'Generate a client in Python, TypeScript, Java or Go.'],
		'consumer-tests': ['Test your program', 'Mocks, proxies and contract tests in your CI.'],
		compatibility: ['Compatibility', 'What may grow, what never breaks, how things end.'],
		changelog: ['Changelog', 'What the contract changed, release by release.']
	} as Record<string, [title: string, text: string]>,
	pages: {
		api: ['API reference', 'Every operation, with code in four languages.'],
		operations: ['Operations reference', 'Jobs, queues, schedules and mail.'],
		try: ['Try it', 'Send requests from the browser.'],
		problems: ['Problem catalogue', 'Every type of error, and what to do.']
	} as Record<string, [title: string, text: string]>,
	files: {
		yaml: 'OpenAPI 3.1 (YAML)',
		json: 'OpenAPI 3.1 (JSON)',
		collection: 'Collection for Postman and Bruno'
	}
};
