export default {
	jobs: {
		intro:
			'Work that the service does in the background. What fails is tried again; what has used up its attempts waits here.',
		none: 'No jobs',
		noneText: 'None has this status just now.',
		every: 'Every status',
		status: {
			available: 'Waiting',
			running: 'Running',
			completed: 'Done',
			cancelled: 'Cancelled',
			discarded: 'Failed'
		} as Record<string, string>,
		retry: 'Try again',
		retried: 'The job is tried again, with all its attempts.',
		cancel: 'Cancel',
		cancelTitle: 'Cancel this job?',
		cancelText: 'What it was to do is not done. You can try it again later.',
		keep: 'Keep it',
		cancelled: 'The job is cancelled.',
		attempt: (now: string, most: string) => `attempt ${now} of ${most}`,
		queue: 'Queue',
		due: 'Due',
		started: 'Last started',
		finished: 'Ended',
		args: 'Arguments',
		errors: 'Errors of its attempts',
		noErrors: 'No attempt has failed.'
	},
	queues: {
		intro: 'A paused queue keeps its jobs; none of them start.',
		running: 'Running',
		due: 'Due',
		scheduled: 'Later',
		waiting: 'Oldest waits for',
		seconds: (count: string) => `${count} s`,
		paused: 'Paused',
		pause: 'Pause',
		pauseTitle: (name: string) => `Pause ${name}?`,
		pauseText:
			'None of its jobs start until you resume it, such as sending mails or delivering webhooks.',
		resume: 'Resume',
		schedules: 'Schedules',
		cron: 'When (cron, UTC)',
		next: 'Next',
		last: 'Last'
	},
	events: {
		intro: 'Who did what, newest first. Nothing is missing, and nobody can change it.',
		none: 'No events',
		noneText: 'Nothing that fits these filters was recorded.',
		type: 'Type',
		every: 'Every type',
		ticket: 'Ticket number',
		actor: 'By',
		anybody: 'Anybody',
		system: 'The service',
		data: 'What it holds'
	},
	mail: {
		intro:
			'Messages to people. Without a mail server they are captured here instead of being sent.',
		none: 'No messages yet',
		noneText: 'Sign-in codes, invitations and notifications show here.',
		status: { captured: 'Captured', queued: 'Waiting', sent: 'Sent', failed: 'Failed' } as Record<
			string,
			string
		>,
		to: 'To',
		erased: 'The text of a message is erased once it is sent.'
	},
	health: {
		intro: 'What the command “ticketing doctor” says about this installation.',
		status: { ok: 'In order', warning: 'Look at this', failed: 'Broken' } as Record<string, string>,
		again: 'Check again',
		good: 'Everything is in order.'
	}
};
