-- The job engine (src/ticketing/jobs). A worker that runs a job holds its fence; a statement with an older one finds
-- nothing. Two habits keep the plans right even when the planner's statistics are stale: jobs found by id are told apart
-- by lease and end instead of state (the planner would scan the whole index of that state), and the ids of a batch are an
-- array (of a joined list the planner expects a tenth of the table, and would scan all of it).

-- name: enqueue_job(kind, args, queue, run_at, priority, max_attempts, unique_key, ordering_key, group_name, group_limit, shown)$
-- Add a job in the caller's transaction. Empty: there is one of that kind with that unique key.
-- nullable: run_at, unique_key, ordering_key, group_name, group_limit
select enqueue_job(:kind, :args, :queue, :run_at, :priority, :max_attempts, :unique_key, :ordering_key, :group_name,
                   :group_limit, :shown);

-- name: claim_jobs(job_ids, lease)
-- returns: ClaimedJob
-- Take those of the jobs that are still due.
select * from claim_jobs(:job_ids, :lease);

-- name: list_missed_jobs(job_ids)
-- returns: MissedJob
-- Which of the jobs that a claim did not get are still to be had: those that were locked, which are still said to be
-- announced, and those that may not run now, which are not.
select id, dispatched_at is not null as locked
  from jobs
 where id = any(:job_ids) and lease_until is null and finished_at is null;

-- name: claim_due_jobs(queues, rooms, lease)
-- returns: ClaimedJob
-- Take what is due without being told of it, at most so many of each queue.
select * from claim_jobs(array(select d.id from due_jobs(:queues, :rooms, now()) d), :lease);

-- name: complete_job(job_id, fence)$
-- Complete a job. Empty: it is not ours any more.
update jobs
   set state = 'completed', finished_at = now(), lease_until = null, lane_slot = null
 where id = :job_id and fence = :fence and lease_until is not null
returning true;

-- name: complete_jobs(job_ids, fences)
-- returns: HeldJob
-- Complete jobs whose handlers had nothing to write; names those that were still ours.
update jobs
   set state = 'completed', finished_at = now(), lease_until = null, lane_slot = null
  from unnest(:job_ids::uuid[], :fences::bigint[]) held (id, fence)
 where jobs.id = held.id and jobs.fence = held.fence and jobs.lease_until is not null
returning jobs.id;

-- name: fail_job(job_id, fence, error, delay)$
-- Note what went wrong and let the job be tried again later, or discard it after its last attempt; gives its new state.
-- It is cancelled if an operator wants that. Empty: it is not ours any more.
with ours as (
    select id, case when cancel_requested_at is not null then 'cancelled'
                    when attempt < max_attempts then 'available' else 'discarded' end::job_state as next
      from jobs
     where id = :job_id and fence = :fence and lease_until is not null
       for update
)
update jobs j
   set state = ours.next,
       finished_at = case when ours.next <> 'available' then now() end,
       run_at = case when ours.next = 'available' then clock_timestamp() + :delay else run_at end,
       lease_until = null, lane_slot = null, errors = with_error(errors, attempt, :error)
  from ours
 where j.id = ours.id
returning j.state;

-- name: snooze_job(job_id, fence, delay)$
-- Give a job back without using up its attempt, or cancel it if an operator wants that; gives its new state.
-- Empty: it is not ours any more.
update jobs
   set state = case when cancel_requested_at is null then 'available' else 'cancelled' end::job_state,
       finished_at = case when cancel_requested_at is not null then now() end,
       attempt = attempt - 1, run_at = clock_timestamp() + :delay, lease_until = null, lane_slot = null
 where id = :job_id and fence = :fence and lease_until is not null
returning state;

-- name: abandon_job(job_id, fence, error)$
-- End a job that is not wanted any more. Empty: it is not ours any more.
update jobs
   set state = 'cancelled', finished_at = now(), lease_until = null, lane_slot = null,
       errors = with_error(errors, attempt, :error)
 where id = :job_id and fence = :fence and lease_until is not null
returning true;

-- name: extend_leases(job_ids, fences, lease)
-- returns: Lease
-- Hold on to running jobs; tells of each whether it is still ours, and whether an operator wants it to end.
-- What is locked is being finished just now, perhaps by ourselves.
with held as materialized (
    select * from unnest(:job_ids::uuid[], :fences::bigint[]) h (id, fence)
), extended as (
    update jobs j
       set lease_until = clock_timestamp() + :lease
     where j.id in (select l.id from jobs l join held h on h.id = l.id and h.fence = l.fence
                     where l.state = 'running' for update of l skip locked)
)
select h.id, h.fence, coalesce(j.fence = h.fence and j.state = 'running', false) as ours,
       j.cancel_requested_at is not null as unwanted
  from held h left join jobs j on j.id = h.id;

-- name: rescue_jobs()
-- returns: RescuedJob
-- Take back jobs whose workers have gone silent. That counts as an attempt, so that a job that kills its worker ends.
with lost as (
    select id from jobs
     where state = 'running' and lease_until < now()
     order by lease_until limit 500 for update skip locked
)
update jobs j
   set state = case when cancel_requested_at is not null then 'cancelled'
                    when attempt < max_attempts then 'available' else 'discarded' end::job_state,
       finished_at = case when cancel_requested_at is null and attempt < max_attempts then null else now() end,
       run_at = now(), lease_until = null, lane_slot = null,
       errors = with_error(errors, attempt, 'The worker went silent, and its lease ran out.')
  from lost
 where j.id = lost.id
returning j.id, j.kind, j.attempt, j.state;

-- name: dispatch_jobs(queues, rooms, resend_after, void_before)
-- returns: DispatchedJob
-- Note that what is due is being announced, at most so many of each queue, in the order in which it is to start; again if
-- that was long ago, or was before a moment from which on it is known what became of the messages.
-- nullable: void_before
with due as materialized (
    select id, row_number() over () as place
      from due_jobs(:queues, :rooms, greatest(now() - :resend_after::interval, :void_before::timestamptz))
), taken as materialized (
    select j.id
      from jobs j
     where j.id = any(array(select id from due)) and j.lease_until is null and j.finished_at is null
       and (j.dispatched_at is null
            or j.dispatched_at < greatest(now() - :resend_after::interval, :void_before::timestamptz))
       for update of j skip locked
), dispatched as (
    update jobs j set dispatched_at = clock_timestamp() where j.id = any(array(select id from taken))
    returning j.id, j.queue
)
select dispatched.id, dispatched.queue from dispatched join due on due.id = dispatched.id order by due.place;

-- name: get_database_identity()$
-- What tells this database from all others, restored copies included: its number, on a server of this number.
select c.system_identifier || '-' || d.oid
  from pg_control_system() c cross join pg_database d where d.datname = current_database();

-- name: tell_time()$
-- The moment by the clock that jobs are dispatched by.
select clock_timestamp();

-- name: recall_jobs(job_ids)!
-- Take it back that jobs were announced: whoever was told does not do them.
update jobs set dispatched_at = null where id = any(:job_ids) and lease_until is null and finished_at is null;

-- name: delete_finished_jobs(completed_for, failed_for, batch)!
-- Delete a batch of jobs that finished long enough ago. Each sort has an index, so that those that failed, and are kept
-- for longer, are not read each time.
with completed as materialized (
    select id from jobs
     where state = 'completed' and finished_at < now() - :completed_for::interval
     order by finished_at limit :batch for update skip locked
), failed as materialized (
    select id from jobs
     where state in ('cancelled', 'discarded') and finished_at < now() - :failed_for::interval
     order by finished_at limit :batch - (select count(*) from completed) for update skip locked
)
delete from jobs where id = any(array(select id from completed union all select id from failed));

-- name: measure_queues(queues, most)
-- returns: QueueFigures
-- How much each queue has to do, counted as far as `most`, and how late it is with what may run: neither paused, nor
-- behind others of its lane.
with lanes as materialized (
    select j.queue, min(j.run_at) as since
      from due_jobs(:queues, array_fill(1, array[cardinality(:queues::text[])]), 'infinity') d join jobs j on j.id = d.id
     where j.lane is not null
     group by j.queue
)
select q.queue, (select count(*) from (select from waiting_jobs(q.queue, '-infinity', now(), :most) limit :most) w) as due,
       coalesce((select extract(epoch from clock_timestamp() - min(w.run_at))
                   from waiting_jobs(q.queue, '-infinity', now(), 1) w), 0)::float8 as oldest_due_seconds,
       coalesce(extract(epoch from clock_timestamp() - least(lanes.since, plain.since)), 0)::float8 as late_seconds,
       (select count(*) from jobs r where r.state = 'running' and r.queue = q.queue) as running
  from unnest(:queues::text[]) q (queue)
  left join lanes using (queue)
 cross join lateral (
    select min(first.run_at) as since
      from generate_series(1, 4) p (priority) cross join lateral (
        select j.run_at
          from jobs j
         where j.queue = q.queue and j.state = 'available' and j.lane is null and j.priority = p.priority
           and j.run_at <= now()
         order by j.run_at
         limit 1
      ) first
     where not exists (select from job_pauses p where p.queue = q.queue)
 ) plain;

-- name: register_schedule(name, kind, queue, cron, next_run_at)!
-- Note a schedule; one that is known keeps its next moment unless its times changed.
insert into job_schedules as s (name, kind, queue, cron, next_run_at)
values (:name, :kind, :queue, :cron, :next_run_at)
on conflict (name) do update
   set kind = excluded.kind, queue = excluded.queue, cron = excluded.cron,
       next_run_at = case when s.cron = excluded.cron then s.next_run_at else excluded.next_run_at end
 where (s.kind, s.queue, s.cron) is distinct from (excluded.kind, excluded.queue, excluded.cron);

-- name: get_time()$
-- What time it is for all workers alike.
select now();

-- name: due_schedules(names)
-- returns: DueSchedule
-- The schedules among these whose next moment has come, and what time it is for all workers alike.
select name, next_run_at, now() as now from job_schedules where name = any(:names) and next_run_at <= now();

-- name: run_schedule(name, due, slot, next_run_at, sweeps, kind, args, queue, priority, max_attempts, unique_key, shown)$
-- Turn a moment of a schedule into a job, and move on from the one that was due. Empty: another worker did, or a job of
-- a schedule that sweeps still waits to be begun.
with moved as (
    update job_schedules
       set next_run_at = :next_run_at, last_run_at = :slot
     where name = :name and next_run_at = :due
    returning 1
)
select enqueue_job(:kind, :args, :queue, :slot, :priority, :max_attempts, :unique_key, shown => :shown)
  from moved
 where not :sweeps
    or not exists (
        select from jobs w
         where w.kind = :kind and w.unique_key is not null and starts_with(w.unique_key, :name || ' ')
           and w.state = 'available' and w.attempt = 0);
