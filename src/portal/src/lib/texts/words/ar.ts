import type en from './en';

export default {
	type: { bug: 'بلاغ عن خلل', feature_request: 'طلب ميزة', support: 'طلب دعم' },
	status: {
		open: 'مفتوحة',
		in_progress: 'قيد العمل',
		pending: 'بانتظار مقدّم الطلب',
		resolved: 'محلولة',
		closed: 'مغلقة'
	},
	ownStatus: {
		open: 'مفتوحة',
		in_progress: 'قيد العمل',
		pending: 'بانتظارك',
		resolved: 'محلولة',
		closed: 'مغلقة'
	},
	priority: { urgent: 'عاجلة', high: 'عالية', normal: 'عادية', low: 'منخفضة' },
	severity: { critical: 'حرجة', high: 'عالية', medium: 'متوسطة', low: 'منخفضة', none: 'بلا' },
	resolution: {
		none: 'بلا',
		fixed: 'أُصلح',
		shipped: 'صدر',
		answered: 'أُجيب عنه',
		duplicate: 'مكرر',
		wont_fix: 'لن يُنفَّذ',
		cannot_reproduce: 'تعذّر تكراره',
		invalid: 'غير صالح',
		spam: 'رسالة مزعجة',
		withdrawn: 'سحبه مقدّم الطلب'
	},
	channel: {
		portal: 'البوابة',
		email: 'البريد الإلكتروني',
		api: 'واجهة البرمجة',
		github: 'GitHub',
		import: 'استيراد'
	},
	role: { requester: 'مقدّم طلبات', agent: 'موظف دعم', admin: 'مشرف' },
	visibility: { public: 'عام', private: 'خاص', internal: 'داخلي' },
	field: {
		type: 'النوع',
		status: 'الحالة',
		priority: 'الأولوية',
		severity: 'الخطورة',
		project: 'المشروع',
		category: 'الفئة',
		assignee: 'المسؤول',
		requester: 'مقدّم الطلب',
		resolution: 'الحل',
		resolution_note: 'ملاحظة على الحل',
		tags: 'الوسوم',
		title: 'العنوان',
		description: 'الوصف',
		environment: 'البيئة',
		channel: 'وردت عبر',
		created_at: 'فُتحت',
		updated_at: 'عُدّلت'
	},
	nobody: 'لا أحد'
} satisfies typeof en as typeof en;
