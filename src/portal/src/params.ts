import { defineParams } from '@sveltejs/kit/params';

export const params = defineParams({
	// 15 digits: what a number of JavaScript holds exactly.
	number: (param) => (/^[1-9]\d{0,14}$/.test(param) ? Number(param) : undefined)
});
