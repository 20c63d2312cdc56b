import type en from './en';

export default {
	jobs: {
		intro: 'عمل تقوم به الخدمة في الخلفية. ما يفشل يُعاد، وما استنفد محاولاته ينتظر هنا.',
		none: 'لا مهام',
		noneText: 'لا مهمة بهذه الحالة الآن.',
		every: 'كل الحالات',
		status: {
			available: 'بالانتظار',
			running: 'قيد التنفيذ',
			completed: 'اكتملت',
			cancelled: 'أُلغيت',
			discarded: 'فشلت'
		},
		retry: 'أعد المحاولة',
		retried: 'ستُعاد المهمة بكل محاولاتها.',
		cancel: 'إلغاء',
		cancelTitle: 'أتريد إلغاء هذه المهمة؟',
		cancelText: 'لن يُنجز ما كانت ستفعله. يمكنك إعادة محاولتها لاحقًا.',
		keep: 'أبقِها',
		cancelled: 'أُلغيت المهمة.',
		attempt: (now: string, most: string) => `المحاولة ${now} من ${most}`,
		queue: 'الطابور',
		due: 'مستحقة',
		started: 'آخر بدء',
		finished: 'انتهت',
		args: 'المعاملات',
		errors: 'أخطاء المحاولات',
		noErrors: 'لم تفشل أي محاولة.'
	},
	queues: {
		intro: 'الطابور المتوقف يحتفظ بمهامه ولا تبدأ أي منها.',
		running: 'قيد التنفيذ',
		due: 'مستحقة',
		scheduled: 'لاحقًا',
		waiting: 'الأقدم ينتظر',
		seconds: (count: string) => `${count} ث`,
		paused: 'متوقف',
		pause: 'إيقاف مؤقت',
		pauseTitle: (name: string) => `أتريد إيقاف ${name} مؤقتًا؟`,
		pauseText: 'لا تبدأ أي من مهامه حتى تستأنفه، كإرسال البريد أو تسليم Webhooks.',
		resume: 'استئناف',
		schedules: 'الجداول',
		cron: 'الموعد (cron، UTC)',
		next: 'التالي',
		last: 'الأخير'
	},
	events: {
		intro: 'من فعل ماذا، الأحدث أولًا. لا شيء ناقص ولا يمكن لأحد تغييره.',
		none: 'لا أحداث',
		noneText: 'لم يُسجَّل شيء يطابق هذه المرشّحات.',
		type: 'النوع',
		every: 'كل الأنواع',
		ticket: 'رقم التذكرة',
		actor: 'بواسطة',
		anybody: 'الجميع',
		system: 'الخدمة',
		data: 'المحتوى'
	},
	mail: {
		intro: 'رسائل إلى الأشخاص. بلا خادم بريد تُحفظ هنا بدل إرسالها.',
		none: 'لا رسائل بعد',
		noneText: 'تظهر هنا رموز الدخول والدعوات والإشعارات.',
		status: { captured: 'محفوظة', queued: 'بالانتظار', sent: 'أُرسلت', failed: 'فشلت' },
		to: 'إلى',
		erased: 'يُمحى نص الرسالة بعد إرسالها.'
	},
	health: {
		intro: 'ما يقوله الأمر «ticketing doctor» عن هذه الخدمة.',
		status: { ok: 'سليم', warning: 'انتبه', failed: 'معطّل' },
		again: 'افحص مجددًا',
		good: 'كل شيء سليم.'
	}
} satisfies typeof en as typeof en;
