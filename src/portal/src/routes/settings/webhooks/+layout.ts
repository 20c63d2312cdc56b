import { webhooks } from '#lib/texts/webhooks/index.ts';

export const load = () => webhooks.ready();
