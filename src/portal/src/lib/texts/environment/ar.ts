import type en from './en';

export default {
	browser: 'المتصفح',
	os: 'النظام',
	language: 'اللغة',
	screen: 'الشاشة',
	time_zone: 'المنطقة الزمنية',
	app_version: 'إصدار التطبيق',
	server_version: 'إصدار الخادم',
	device: 'الجهاز',
	plan: 'الخطة',
	database: 'قاعدة البيانات',
	install: 'التثبيت'
} satisfies typeof en as typeof en;
