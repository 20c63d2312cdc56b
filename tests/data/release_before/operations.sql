-- Operations: what an operator sees and does of jobs, queues and schedules.

-- name: list_jobs(state, kind, queue, after, page_size)
-- returns: Job
-- A page of jobs, newest first, from after a given one on.
select r.*
  from jobs j cross join lateral job_resource(j) r
 where (:state::job_state is null or j.state = :state)
   and (:kind::text is null or j.kind = :kind)
   and (:queue::text is null or j.queue = :queue)
   and (:after::uuid is null or j.id < :after::uuid)
 order by j.id desc
 limit :page_size;

-- name: count_jobs(state, kind, queue)$
-- How many jobs there are.
select count(*)
  from jobs j
 where (:state::job_state is null or j.state = :state)
   and (:kind::text is null or j.kind = :kind)
   and (:queue::text is null or j.queue = :queue);

-- name: get_job(job_id)^
-- returns: Job
-- One job.
select r.* from jobs j cross join lateral job_resource(j) r where j.id = :job_id;

-- name: retry_job(event_id, idempotency_key, fingerprint, actor_id, job_id)^
-- returns: Job
-- Let a job that ended without success, or waits, run now, with all its attempts. Empty: it does neither, or the key
-- is taken.
-- nullable: fingerprint, actor_id
with taken as materialized (
    select id, state from jobs
     where id = :job_id and (state in ('discarded', 'cancelled') or (state = 'available' and run_at > now()))
       for update
), claimed as materialized (
    select * from taken
     where :idempotency_key::text is null
        or claim_idempotency_key(:actor_id, :idempotency_key, :fingerprint, :event_id)
), retried as (
    update jobs as j
       set state = 'available', run_at = now(), attempt = 0, finished_at = null, cancel_requested_at = null,
           dispatched_at = null
      from claimed
     where j.id = claimed.id
    returning j, claimed.state as previous
), resource as materialized (
    select r.* from retried cross join lateral job_resource(retried.j) r
), event as (
    insert into events (id, type, actor_id, audience, data, previous)
    select :event_id, 'job.retried', :actor_id, 'internal', to_jsonb(resource),
           jsonb_build_object('state', (select previous from retried))
      from resource
)
select * from resource;

-- name: cancel_job(event_id, idempotency_key, fingerprint, actor_id, job_id)^
-- returns: Job
-- End a job that waits, or ask the worker of one that runs to end it. Empty: it has ended or was asked for before, or
-- the key is taken.
-- nullable: fingerprint, actor_id
with taken as materialized (
    select id, state from jobs
     where id = :job_id and state in ('available', 'running') and cancel_requested_at is null
       for update
), claimed as materialized (
    select * from taken
     where :idempotency_key::text is null
        or claim_idempotency_key(:actor_id, :idempotency_key, :fingerprint, :event_id)
), cancelled as (
    update jobs as j
       set state = case j.state when 'available' then 'cancelled' else j.state end,
           finished_at = case j.state when 'available' then now() end,
           cancel_requested_at = now()
      from claimed
     where j.id = claimed.id
    returning j, claimed.state as previous
), resource as materialized (
    select r.* from cancelled cross join lateral job_resource(cancelled.j) r
), event as (
    insert into events (id, type, actor_id, audience, data, previous)
    select :event_id, 'job.cancelled', :actor_id, 'internal', to_jsonb(resource),
           jsonb_build_object('state', (select previous from cancelled), 'cancel_requested_at', null)
      from resource
)
select * from resource;

-- name: list_queues(known, after, page_size)
-- returns: Queue
-- A page of queues by name: those of the kinds known here, and whatever else is paused or has jobs to do.
with recursive plain as (
    -- From queue to queue in each index of what waits, so that the cost is by queues and not by jobs.
    (select j.queue from jobs j where j.state = 'available' and j.lane is null order by j.queue limit 1)
    union all
    select (select j.queue from jobs j where j.state = 'available' and j.lane is null and j.queue > w.queue
             order by j.queue limit 1)
      from plain w where w.queue is not null
), grouped as (
    (select j.queue from jobs j
      where j.state = 'available' and j.lane is not null and j.lane_limit is not null order by j.queue limit 1)
    union all
    select (select j.queue from jobs j
             where j.state = 'available' and j.lane is not null and j.lane_limit is not null and j.queue > w.queue
             order by j.queue limit 1)
      from grouped w where w.queue is not null
), ordered as (
    (select j.queue from jobs j
      where j.state = 'available' and j.lane is not null and j.lane_limit is null order by j.queue limit 1)
    union all
    select (select j.queue from jobs j
             where j.state = 'available' and j.lane is not null and j.lane_limit is null and j.queue > w.queue
             order by j.queue limit 1)
      from ordered w where w.queue is not null
), waiting as (
    select queue from plain union select queue from grouped union select queue from ordered
), named as (
    select unnest(:known::text[]) as name
    union select queue from job_pauses
    union select queue from jobs where state = 'running'
    union select queue from waiting where queue is not null
)
select r.*
  from named n
  left join job_pauses p on p.queue = n.name
 cross join lateral queue_resource(n.name, p.paused_at) r
 where :after::text is null or n.name > :after
 order by n.name
 limit :page_size;

-- name: is_queue(known, name)$
-- Whether there is such a queue: of the kinds known here, or one that is paused or has jobs to do.
select :name = any(:known::text[])
    or exists (select from job_pauses where queue = :name)
    or exists (select from waiting_jobs(:name, '-infinity', 'infinity', 1))
    or exists (select from jobs where state = 'running' and queue = :name);

-- name: get_queue(name)^
-- returns: Queue
-- One queue.
select r.*
  from (select :name::text as name) n
  left join job_pauses p on p.queue = n.name
 cross join lateral queue_resource(n.name, p.paused_at) r;

-- name: pause_queue(event_id, idempotency_key, fingerprint, actor_id, name)^
-- returns: Queue
-- Start no more jobs of a queue. Empty: it is paused, or the key is taken.
-- nullable: fingerprint, actor_id
with running as materialized (
    select :name as name where not exists (select from job_pauses where queue = :name)
), claimed as materialized (
    select * from running
     where :idempotency_key::text is null
        or claim_idempotency_key(:actor_id, :idempotency_key, :fingerprint, :event_id)
), paused as (
    insert into job_pauses (queue) select name from claimed
    returning queue, paused_at
), resource as materialized (
    select r.* from paused cross join lateral queue_resource(paused.queue, paused.paused_at) r
), event as (
    insert into events (id, type, actor_id, audience, data, previous)
    select :event_id, 'queue.paused', :actor_id, 'internal', to_jsonb(resource), '{"paused": false, "paused_at": null}'
      from resource
)
select * from resource;

-- name: resume_queue(event_id, idempotency_key, fingerprint, actor_id, name)^
-- returns: Queue
-- Start jobs of a queue again. Empty: it is not paused, or the key is taken. What was announced while it was paused, and
-- could not be claimed, is noted as not announced (claim_jobs), so that the next look announces it.
-- nullable: fingerprint, actor_id
with paused as materialized (
    select queue from job_pauses where queue = :name for update
), claimed as materialized (
    select * from paused
     where :idempotency_key::text is null
        or claim_idempotency_key(:actor_id, :idempotency_key, :fingerprint, :event_id)
), resumed as (
    delete from job_pauses p using claimed c where p.queue = c.queue returning p.queue, p.paused_at
), resource as materialized (
    select r.* from resumed cross join lateral queue_resource(resumed.queue, null) r
), event as (
    insert into events (id, type, actor_id, audience, data, previous)
    select :event_id, 'queue.resumed', :actor_id, 'internal', to_jsonb(resource),
           jsonb_build_object('paused', true, 'paused_at', utc((select paused_at from resumed)))
      from resource
)
select * from resource;

-- name: list_schedules(after, page_size)
-- returns: Schedule
-- A page of schedules by name.
select s.name, s.kind, s.queue, s.cron, utc(s.next_run_at) as next_run_at, utc(s.last_run_at) as last_run_at
  from job_schedules s
 where :after::text is null or s.name > :after
 order by s.name
 limit :page_size;
