/** What this installation is called; its service writes it into the page (`TICKETING_NAME`). */
export const NAME =
	// The build looks at pages outside of a browser.
	globalThis.document?.querySelector<HTMLMetaElement>('meta[name=application-name]')?.content ||
	'Ticketing';
