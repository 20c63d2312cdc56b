import type en from './en';

export default {
	title: 'الإعدادات',
	forbidden: 'المشرفون وحدهم يغيّرون الإعدادات.',
	groups: {
		product: 'المنتج',
		people: 'الأشخاص',
		integrations: 'عمليات الربط',
		operations: 'التشغيل'
	},
	pages: {
		projects: 'المشاريع',
		people: 'الأشخاص',
		machines: 'حسابات الخدمة',
		webhooks: 'Webhooks',
		jobs: 'المهام',
		queues: 'الطوابير والجداول',
		events: 'سجل الأحداث',
		mail: 'البريد',
		health: 'الحالة الصحية'
	},
	add: 'إضافة',
	edit: 'تعديل',
	remove: 'إزالة',
	name: 'الاسم',
	key: 'المفتاح',
	keyHint: 'للعناوين؛ لا يتغير أبدًا. أحرف لاتينية صغيرة وأرقام وشرطات.',
	description: 'الوصف',
	optional: 'اختياري',
	archived: 'مؤرشف',
	archive: 'أرشفة',
	restore: 'استعادة',
	never: 'أبدًا',
	all: 'الكل',
	filter: 'تصفية',
	created: 'أُنشئ'
} satisfies typeof en as typeof en;
