-- transaction: none
-- For the audit log, newest first: all events by when they happened, and apart from them those of no ticket. These are
-- few, and it is they that an auditor looks for.

create index concurrently if not exists events_by_time on events (occurred_at, id);

create index concurrently if not exists events_of_no_ticket on events (occurred_at, id) where ticket is null;
