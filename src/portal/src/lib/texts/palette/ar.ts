import type en from './en';

export default {
	placeholder: 'تذكرة بالرقم أو بالكلمات، أو عرض، أو أمر …',
	tickets: 'التذاكر',
	commands: 'الأوامر',
	nothing: (text: string) => `لم يُعثر على شيء لـ«${text}».`
} satisfies typeof en as typeof en;
