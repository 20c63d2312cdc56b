import type en from './en';

export default {
	title: 'تسجيل الدخول',
	intro: 'نرسل إليك رمزًا بالبريد الإلكتروني. لا حاجة إلى كلمة مرور.',
	email: 'البريد الإلكتروني',
	send: 'أرسلوا لي رمزًا',
	sentTitle: 'تفقّد بريدك',
	sent: (email: string) =>
		`إذا كان مسموحًا للعنوان ${email} بالدخول، فستصلك رسالة برمز من ستة أرقام. يصلح لمدة 10 دقائق.`,
	code: 'الرمز',
	verify: 'تسجيل الدخول',
	again: 'أرسل رمزًا آخر',
	againIn: (seconds: string) => `رمز آخر بعد ${seconds} ث`,
	other: 'استخدم عنوانًا آخر',
	confirm: 'لقد فتحت رابط رسالة تسجيل الدخول.',
	confirmAction: (email: string) => `الدخول باسم ${email}`,
	badEmail: 'أدخل عنوان بريد إلكتروني، مثل you@example.com.',
	badCode: 'أدخل أرقام الرمز الستة.',
	wrongCode:
		'هذا الرمز غير صحيح أو انتهت صلاحيته. حاول مجددًا أو افتح الرابط في الرسالة أو اطلب رمزًا آخر.',
	wrongLink: 'انتهت صلاحية هذا الرابط. اطلب رمزًا آخر.',
	closed: 'لا يمكن للأشخاص الجدد الدخول إلا بدعوة.',
	demo: 'جرّب العرض التوضيحي باسم',
	mailbox: 'رسائل هذا العرض في صندوق بريده.',
	invitationTitle: 'أنت مدعوّ',
	invitation: 'اكتب الاسم الذي تريده، وابدأ.',
	name: 'اسمك',
	accept: 'قبول وتسجيل الدخول',
	noInvitation: 'لم تعد هذه الدعوة صالحة. اطلب دعوة أخرى.',
	signedIn: (name: string) => `أنت مسجّل الدخول باسم ${name}.`,
	goOn: 'متابعة'
} satisfies typeof en as typeof en;
