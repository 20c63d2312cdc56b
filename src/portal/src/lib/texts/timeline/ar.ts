import type en from './en';

export default {
	service: 'Ticketing',
	created: 'فتح هذه التذكرة',
	changed: (field: string) => `غيّر ${field}`,
	set: (field: string, after: string) => `جعل ${field}: ${after}`,
	cleared: (field: string) => `أزال ${field}`,
	from: (before: string) => `كانت القيمة: ${before}.`,
	assigned: (name: string) => `أسند التذكرة إلى ${name}`,
	assignedSelf: 'تولّى هذه التذكرة',
	unassigned: 'ألغى الإسناد',
	text: (field: string) => `عدّل ${field}`,
	resolved: (resolution: string) => `حلّ التذكرة: ${resolution}`,
	closed: 'أغلق هذه التذكرة',
	closedAs: (resolution: string) => `أغلق التذكرة: ${resolution}`,
	reopened: 'أعاد فتحها',
	escalated: 'طال انتظار هذه التذكرة الحرجة دون رد.',
	several: 'أجرى عدة تغييرات',
	compare: 'ما كان، وما صار',
	before: 'قبل',
	after: 'بعد',
	nothing: 'لا شيء'
} satisfies typeof en as typeof en;
