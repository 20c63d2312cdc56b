-- Jobs: what an operator sees and does of them. What the engine asks is in job_engine.sql.

-- name: list_jobs(after, page_size)
-- returns: Job
-- A page of jobs, newest first, from after a given one on.
select r.*
  from jobs j cross join lateral job_resource(j) r
 where :after::uuid is null or j.id < :after::uuid
 order by j.id desc
 limit :page_size;

-- name: list_jobs_of(status, type, queue, after, page_size)
-- returns: Job
-- A page of the jobs of a type, in a queue or with a status, newest first, from after a given one on.
with recursive groups as (
    -- From one combination to the next in the index, so that the cost is by combinations and pages, not by jobs.
    (select j.kind, j.queue, j.state
       from jobs j
      where j.kind >= coalesce(:type::text, '')
      order by j.kind, j.queue, j.state
      limit 1)
    union all
    select next.*
      from groups g cross join lateral (
        select j.kind, j.queue, j.state
          from jobs j
         where (j.kind, j.queue, j.state) > (g.kind, g.queue, g.state)
         order by j.kind, j.queue, j.state
         limit 1
      ) next
     where :type::text is null or g.kind = :type
), page as materialized (
    select newest.id
      from groups g cross join lateral (
        select j.id
          from jobs j
         where j.kind = g.kind and j.queue = g.queue and j.state = g.state and (:after::uuid is null or j.id < :after::uuid)
         order by j.id desc
         limit :page_size
      ) newest
     where (:type::text is null or g.kind = :type)
       and (:queue::text is null or g.queue = :queue)
       and (:status::job_state is null or g.state = :status)
     order by newest.id desc
     limit :page_size
)
select r.*
  from page p join jobs j on j.id = p.id cross join lateral job_resource(j) r
 order by j.id desc;

-- name: count_jobs(status, type, queue)$
-- How many jobs there are.
select count(*)
  from jobs j
 where (:status::job_state is null or j.state = :status)
   and (:type::text is null or j.kind = :type)
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
    insert into events (id, type, actor_id, data, previous)
    select :event_id, 'job.retried', :actor_id, to_jsonb(resource),
           jsonb_build_object('status', (select previous from retried))
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
     where id = :job_id and (state = 'available' or (state = 'running' and cancel_requested_at is null))
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
    insert into events (id, type, actor_id, data, previous)
    select :event_id, 'job.cancelled', :actor_id, to_jsonb(resource),
           jsonb_build_object('status', (select previous from cancelled), 'cancel_requested_at', null)
      from resource
)
select * from resource;
