import { plural } from '../language.svelte.ts';
import type en from './en';

export default {
	title: 'هل هي واحدة من هذه؟',
	hint: 'إذن أضف إليها ما تعرفه. تُفتح في علامة تبويب جديدة، وتبقى مسودتك هنا.',
	found: (count: number) =>
		plural(count, {
			one: 'تذكرة واحدة تشبه تذكرتك.',
			two: 'تذكرتان تشبهان تذكرتك.',
			few: '# تذاكر تشبه تذكرتك.',
			many: '# تذكرة تشبه تذكرتك.',
			other: '# تذكرة تشبه تذكرتك.'
		})
} satisfies typeof en as typeof en;
