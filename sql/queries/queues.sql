-- Queues of jobs: what waits in each, and whether it is paused.

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

-- name: pause_queue(event_id, actor_id, name)^
-- returns: Queue
-- Start no more jobs of a queue. Empty: it is paused.
-- nullable: actor_id
with paused as (
    insert into job_pauses (queue) values (:name) on conflict (queue) do nothing returning queue, paused_at
), resource as materialized (
    select r.* from paused cross join lateral queue_resource(paused.queue, paused.paused_at) r
), event as (
    insert into events (id, type, actor_id, data, previous)
    select :event_id, 'queue.paused', :actor_id, to_jsonb(resource), '{"paused": false, "paused_at": null}'
      from resource
)
select * from resource;

-- name: resume_queue(event_id, actor_id, name)^
-- returns: Queue
-- Start jobs of a queue again. Empty: it is not paused. What was announced while it was paused, and could not be
-- claimed, is noted as not announced (claim_jobs), so that the next look announces it.
-- nullable: actor_id
with resumed as (
    delete from job_pauses where queue = :name returning queue, paused_at
), resource as materialized (
    select r.* from resumed cross join lateral queue_resource(resumed.queue, null) r
), event as (
    insert into events (id, type, actor_id, data, previous)
    select :event_id, 'queue.resumed', :actor_id, to_jsonb(resource),
           jsonb_build_object('paused', true, 'paused_at', utc((select paused_at from resumed)))
      from resource
)
select * from resource;
