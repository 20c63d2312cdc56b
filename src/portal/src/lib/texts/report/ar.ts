import { plural } from '../language.svelte.ts';
import type en from './en';

export default {
	title: 'تذكرة جديدة',
	type: 'ما الموضوع؟',
	types: {
		bug: { title: 'أبلغ عن خلل', hint: 'شيء لا يعمل كما ينبغي.' },
		feature_request: { title: 'اطلب ميزة', hint: 'شيء ناقص، أو يمكن أن يكون أفضل.' },
		support: { title: 'احصل على مساعدة', hint: 'لديك سؤال، أو تعثّرت.' }
	},
	project: 'المشروع',
	choose: 'اختر …',
	projectLast: 'بقي شيء واحد: اختر مشروعًا ثم أرسلها.',
	projectMissing: 'اختر مشروعًا.',
	category: 'الفئة',
	noCategory: 'لا أعرف',
	severity: 'ما مدى سوء الأمر؟',
	severities: {
		none: 'لا أستطيع القول',
		low: 'منخفضة: عيب لا يكاد يزعج',
		medium: 'متوسطة: مزعج، لكن يمكن الالتفاف عليه',
		high: 'عالية: شيء مهم لا يعمل',
		critical: 'حرجة: لا شيء يعمل، أو تضيع بيانات'
	},
	ticketTitle: 'العنوان',
	titleHint: 'ما هو، في سطر واحد؟',
	titleMissing: 'ضع له عنوانًا.',
	description: {
		bug: 'ماذا يحدث، وماذا كنت تتوقع؟',
		feature_request: 'ماذا تريد أن تفعل، ولماذا؟',
		support: 'ما سؤالك؟'
	},
	optional: 'اختياري',
	environment: 'عن نظامك',
	environmentHint: 'يُرسل معها ويساعد على إيجاد السبب. غيّر أو احذف ما تشاء.',
	environmentCount: (count: number) =>
		plural(count, {
			zero: 'لا بيانات',
			one: 'بيان واحد',
			two: 'بيانان',
			few: '# بيانات',
			many: '# بيانًا',
			other: '# بيان'
		}),
	factName: 'الاسم',
	factValue: (name: string) => `قيمة ${name}`,
	newFactValue: 'القيمة',
	removeFact: (name: string) => `احذف ${name}`,
	addFact: 'أضف بيانًا',
	send: 'إرسال',
	signInAndSend: 'سجّل الدخول وأرسل',
	visitor: 'تسجّل الدخول قبل الإرسال. ما تكتبه محفوظ.',
	sent: (number: number) => `فُتحت التذكرة #${number}.`,
	notSent: 'لم تُرسل. ما كتبته محفوظ: أرسله مجددًا بعد قليل.',
	draftRestored: 'عادت مسودتك.',
	draftKept: 'حُفظت المسودة في هذا المتصفح',
	discard: 'تجاهل المسودة',
	discarded: 'حُذفت المسودة.',
	sentBeforeTitle: 'أُرسل هذا من قبل',
	sentBefore: 'صار نص سابق من هذا النموذج تذكرة بالفعل.',
	toMine: 'اعرض تذاكري',
	sendAnyway: 'أرسله تذكرة أخرى',
	noProjectsTitle: 'لا شيء يستقبل تذاكر بعد',
	noProjects: 'لا مشروع مما تراه يستقبل تذاكر جديدة. اسأل من يدير هذه الخدمة.'
} satisfies typeof en as typeof en;
