-- Schedules: which jobs come by the clock.

-- name: list_schedules(after, page_size)
-- returns: Schedule
-- A page of schedules by name.
select s.name, s.kind as job_type, s.queue, s.cron, utc(s.next_run_at) as next_run_at, utc(s.last_run_at) as last_run_at
  from job_schedules s
 where :after::text is null or s.name > :after
 order by s.name
 limit :page_size;
