export default {
	write: 'Write',
	preview: 'Preview',
	nothing: 'Nothing to preview yet.',
	hint: 'Markdown works here.',
	bold: 'Bold',
	italic: 'Italic',
	link: 'Link',
	code: 'Code',
	list: 'List',
	quote: 'Quote',
	failed: 'The preview cannot be made just now.'
};
