import type en from './en';

export default {
	title: 'الملف الشخصي',
	text: 'ما تعرفه الخدمة عنك، وكيف تصل إليك.',
	you: 'أنت',
	name: 'الاسم',
	email: 'عنوان البريد الإلكتروني',
	emailHint: 'لا يغيّره إلا مشرف.',
	language: 'اللغة',
	asBrowser: 'حسب المتصفح',
	timeZone: 'المنطقة الزمنية',
	asBrowserZone: (zone: string) => `حسب المتصفح (${zone})`,
	saved: 'حُفظ ملفك الشخصي.',
	notifications: 'البريد',
	notificationsText: 'أرسل إليّ رسالة عندما …',
	notification: {
		replies: 'يردّ أحد على تذاكري',
		resolutions: 'تُحلّ تذكرة لي',
		assignments: 'تُسند إليّ تذكرة'
	},
	sessions: 'أين سجّلت الدخول',
	sessionsText: 'أنهِ ما لا تعرفه.',
	unknownBrowser: 'متصفح غير معروف',
	onPlatform: (browser: string, platform: string) => `${browser} على ${platform}`,
	thisBrowser: 'هذا المتصفح',
	signedIn: 'سُجّل الدخول',
	lastUsed: 'آخر استخدام',
	end: 'إنهاء',
	endSession: (name: string) => `أنهِ جلسة ${name}`,
	ended: 'انتهت الجلسة.',
	endOthers: 'أنهِ كل ما سواها',
	endOthersTitle: 'أتريد إنهاء كل الجلسات الأخرى؟',
	endOthersText: 'يُسجَّل خروج كل متصفح آخر. ويبقى هذا.',
	othersEnded: 'انتهت كل الجلسات الأخرى.'
} satisfies typeof en as typeof en;
