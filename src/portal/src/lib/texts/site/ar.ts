import type en from './en';

export default {
	title: 'كيف يمكننا مساعدتك؟',
	intro: 'أبلغ عن خلل، أو اطلب ميزة، أو احصل على الدعم. ترى ما يحدث لطلبك، ونخبرك بكل رد.',
	types: {
		bug: 'شيء لا يعمل كما ينبغي.',
		feature_request: 'شيء ناقص أو يمكن تحسينه.',
		support: 'لديك سؤال أو تحتاج إلى مساعدة.'
	},
	mine: 'أحدث تذاكرك',
	all: 'كل تذاكرك',
	none: 'لا تذاكر لديك بعد.',
	developers: 'هل تبني شيئًا؟',
	developersText: 'كل شيء هنا يعمل عبر واجهة برمجة منشورة، مع webhooks وتدفق للأحداث.',
	developersLink: 'للمطوّرين',
	signInText: 'سجّل الدخول لمتابعة ما أبلغت عنه.'
} satisfies typeof en as typeof en;
