import type en from './en';

export default {
	title: 'المحادثة',
	opened: (name: string) => `فتح ${name} هذه التذكرة`,
	commentBy: (name: string) => `تعليق من ${name}`,
	noteBy: (name: string) => `ملاحظة داخلية من ${name}`,
	requester: 'مقدّم الطلب',
	you: 'أنت',
	internal: 'ملاحظة داخلية',
	edited: 'عُدّل',
	editedAt: (moment: string) => `عُدّل ${moment}`,
	deleted: 'حُذف هذا التعليق.',
	noDescription: 'بلا وصف.',
	actions: (name: string) => `إجراءات تعليق ${name}`,
	edit: 'تعديل',
	delete: 'حذف',
	deleteTitle: 'أتريد حذف هذا التعليق؟',
	deleteText: 'يُحذف نصه نهائيًّا، من السجل أيضًا. ويبقى ظاهرًا أنه كان هنا.',
	commentDeleted: 'حُذف التعليق.',
	commentChanged: 'عُدّل التعليق.',
	text: 'النص',
	changedMeanwhile: 'تغيّر هذا في الأثناء',
	changedMeanwhileText: 'نصك ما زال هنا، ولم يُحفظ شيء منه.',
	nowReads: 'النص الآن:',
	saveMine: 'احفظ نصي بدلًا منه',
	takeTheirs: 'خذ النص الآخر'
} satisfies typeof en as typeof en;
