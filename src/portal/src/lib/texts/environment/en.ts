/** What is known of somebody's system, by the names that this portal detects and others commonly send. */
export default {
	browser: 'Browser',
	os: 'System',
	language: 'Language',
	screen: 'Screen',
	time_zone: 'Time zone',
	app_version: 'Version of the app',
	server_version: 'Version of the server',
	device: 'Device',
	plan: 'Plan',
	database: 'Database',
	install: 'Installation'
} as Record<string, string>;
