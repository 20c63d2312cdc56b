-- transaction: none
-- What operators ask of jobs and deliveries costs by what they are told, and not by what waits.

-- Jobs of a kind, in a queue or in a state, the newest first; and which kinds and queues there are.
create index concurrently if not exists jobs_kind on jobs (kind, queue, state, id);
