-- transaction: none
-- Finished jobs that may be deleted are found without a look at those that are kept for longer (delete_finished_jobs).

create index concurrently if not exists jobs_completed on jobs (finished_at) where state = 'completed';
create index concurrently if not exists jobs_failed on jobs (finished_at) where state in ('cancelled', 'discarded');
