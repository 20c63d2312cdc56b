import type en from './en';

export default {
	new: 'مشروع جديد',
	intro: 'المشروع منتج تدور حوله التذاكر. وفئاته هي أجزاؤه.',
	none: 'لا مشاريع بعد',
	noneText: 'تنتمي التذاكر إلى مشروع: أنشئ الأول.',
	visibility: 'من يراه',
	public: 'كل من لديه حساب',
	private: 'موظفو الدعم والمشرفون فقط',
	types: 'أنواع التذاكر التي يقبلها',
	language: 'لغة تذاكره',
	languageHint: 'يجد البحث كلمات التذاكر بجميع صيغها.',
	otherLanguage: 'لغة أخرى',
	categories: 'الفئات',
	newCategory: 'فئة جديدة',
	noCategories: 'لا فئات بعد. تساعد الفئات على توجيه التذاكر والعثور عليها.',
	added: (name: string) => `أُضيف ${name}.`,
	archiveTitle: (name: string) => `أتريد أرشفة ${name}؟`,
	archiveCategoryText: 'لا توضع أي تذكرة في فئة مؤرشفة. وتبقى فيها تذاكرها، ويمكنك استعادتها.',
	archiveText: 'المشروع المؤرشف لا يقبل تذاكر جديدة. وتبقى تذاكره، ويمكنك استعادته.'
} satisfies typeof en as typeof en;
