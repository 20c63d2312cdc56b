// Runs before the first paint, so that no page flashes in the other colours. A file of its own: the policy of content
// allows no inline script of ours.
(function () {
	var root = document.documentElement;
	var chosen = null;
	try {
		chosen = JSON.parse(localStorage.getItem('ticketing.appearance') || 'null');
	} catch {
		// Storage is switched off.
	}
	chosen = chosen || {};
	var dark =
		chosen.theme === 'dark' ||
		(chosen.theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
	root.classList.toggle('dark', dark);
	root.style.colorScheme = dark ? 'dark' : 'light';
	root.dataset.density = chosen.density === 'compact' ? 'compact' : 'comfortable';
	if (chosen.locale) {
		root.lang = chosen.locale;
		root.dir = chosen.locale === 'ar' ? 'rtl' : 'ltr';
	}
})();
