import type en from './en';

export default {
	title: 'المغادرة دون حفظ؟',
	text: 'لم يُحفظ ما غيّرته هنا بعد، وسيضيع إن غادرت.',
	leave: 'مغادرة'
} satisfies typeof en as typeof en;
