import type en from './en';

export default {
	write: 'كتابة',
	preview: 'معاينة',
	nothing: 'لا شيء لمعاينته بعد.',
	hint: 'يمكنك استخدام Markdown هنا.',
	bold: 'عريض',
	italic: 'مائل',
	link: 'رابط',
	code: 'شيفرة',
	list: 'قائمة',
	quote: 'اقتباس',
	failed: 'تعذّرت المعاينة الآن.'
} satisfies typeof en as typeof en;
