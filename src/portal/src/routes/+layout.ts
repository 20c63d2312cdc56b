// A client of the published API: every page is made in the browser.
export const ssr = false;
export const trailingSlash = 'never';
