/** Whether the service answers: a proxy or the service itself may say that it does not just now, or nobody says anything. */
export const reach = $state({ lost: false });
