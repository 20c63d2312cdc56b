import type en from './en';

export default {
	browser: 'Browser',
	os: 'System',
	language: 'Sprache',
	screen: 'Bildschirm',
	time_zone: 'Zeitzone',
	app_version: 'Version der App',
	server_version: 'Version des Servers',
	device: 'Gerät',
	plan: 'Tarif',
	database: 'Datenbank',
	install: 'Installation'
} satisfies typeof en as typeof en;
