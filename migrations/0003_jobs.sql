-- Background work. PostgreSQL owns every job: what is to be done is a row, written by the transaction that wants it
-- done. What travels through Redis is no more than the hint that a row is due, and may be lost, doubled or late.

create type job_state as enum ('available', 'running', 'completed', 'cancelled', 'discarded');

create table jobs (
    id           uuid primary key,
    -- The order of enqueueing, for jobs that share an ordering key.
    sequence     bigint generated always as identity,
    kind         text not null check (kind ~ '^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$' and length(kind) <= 64),
    queue        text not null check (queue ~ '^[a-z][a-z0-9_]{0,39}$'),
    priority     smallint not null check (priority between 1 and 4),
    args         jsonb not null check (jsonb_typeof(args) = 'object'),
    -- The keys of `args` that an operator may see.
    shown        text[] not null,
    state        job_state not null default 'available',
    -- How often it was tried; a snooze takes its own try back.
    attempt      integer not null default 0 check (attempt >= 0),
    max_attempts integer not null check (max_attempts > 0),
    -- How often it was claimed, which only ever grows: whoever holds an older number has lost the job, whatever they
    -- still believe.
    fence        bigint not null default 0,
    run_at       timestamptz not null,
    dispatched_at timestamptz,
    started_at   timestamptz,
    lease_until  timestamptz,
    finished_at  timestamptz,
    cancel_requested_at timestamptz,
    unique_key   text,
    -- Jobs of one lane do not all run at once: no more than `lane_limit` of them do, each in a slot of its own; or,
    -- if that is null, one at a time in the order of enqueueing.
    lane         text,
    lane_limit   smallint check (lane_limit > 0),
    lane_slot    smallint,
    -- What went wrong, an object for each attempt, the newest twenty of them.
    errors       jsonb not null default '[]',
    created_at   timestamptz(3) not null default now(),
    check ((state = 'running') = (lease_until is not null)),
    check ((state in ('completed', 'cancelled', 'discarded')) = (finished_at is not null)),
    check ((state = 'running' and lane is not null) = (lane_slot is not null)),
    check (lane is not null or lane_limit is null)
) with (
    -- A job is written four times within a second. Room on its page keeps two of them (dispatched, lease extended)
    -- out of the indexes, which therefore name neither column; and its dead versions are swept up early.
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500,
    autovacuum_analyze_scale_factor = 0.05
);
-- What is due, by queue and priority: every look at it is a range of one of these, however much waits for later.
create index jobs_due on jobs (queue, priority, run_at, id) where state = 'available' and lane is null;
create index jobs_lane_due on jobs (lane, priority, run_at, id)
    where state = 'available' and lane is not null and lane_limit is not null;
create index jobs_lane_next on jobs (lane, sequence)
    where state = 'available' and lane is not null and lane_limit is null;
create index jobs_unfinished on jobs (state, queue) where state in ('available', 'running');
create index jobs_finished on jobs (finished_at) where finished_at is not null;
create index jobs_kind on jobs (kind, id);
-- Two jobs that may not be there at once, and two that may not run at once, cannot.
create unique index jobs_unique on jobs (kind, unique_key)
    where unique_key is not null and state in ('available', 'running');
create unique index jobs_lane_slot on jobs (lane, lane_slot) where lane_slot is not null;

create table job_pauses (
    queue     text primary key,
    paused_at timestamptz(3) not null default now()
);

-- When each schedule comes next. A slot becomes a job in the statement that moves `next_run_at` on from it.
create table job_schedules (
    name        text primary key,
    kind        text not null,
    queue       text not null,
    cron        text not null,
    next_run_at timestamptz(3) not null,
    last_run_at timestamptz(3)
);

-- Enqueueing -----------------------------------------------------------------------------------------------------

-- An id that sorts by the time of its making (RFC 9562, version 7).
create function new_job_id() returns uuid language sql volatile
return encode(
    set_bit(set_bit(overlay(
        uuid_send(gen_random_uuid())
        placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
        52, 1), 53, 1), 'hex')::uuid;

-- Adds a job in the caller's transaction. Null: there is one of that kind with that unique key.
create function enqueue_job(
    kind text, args jsonb, queue text default 'default', run_at timestamptz default null, priority integer default 2,
    max_attempts integer default 20, unique_key text default null, ordering_key text default null,
    group_name text default null, group_limit integer default null, shown text[] default '{}')
returns uuid language sql volatile begin atomic
    insert into jobs as j (id, kind, queue, priority, args, shown, max_attempts, run_at, unique_key, lane, lane_limit)
    select new_job_id(), enqueue_job.kind, enqueue_job.queue, enqueue_job.priority, enqueue_job.args,
           enqueue_job.shown, enqueue_job.max_attempts, coalesce(enqueue_job.run_at, now()), enqueue_job.unique_key,
           coalesce(enqueue_job.ordering_key,
                    case when enqueue_job.group_limit is not null then enqueue_job.group_name end),
           case when enqueue_job.ordering_key is null then enqueue_job.group_limit end
    on conflict (kind, unique_key) where unique_key is not null and state in ('available', 'running') do nothing
    returning j.id;
end;

-- Running --------------------------------------------------------------------------------------------------------

-- The jobs to start next, at most `room` of each queue, but none that was dispatched after a given moment.
-- Nothing is locked: whoever takes them has to look again.
create function due_jobs(queues text[], rooms integer[], dispatched_before timestamptz)
returns table (id uuid) language sql stable begin atomic
    with recursive open as (
        select q.queue, q.room
          from unnest(queues, rooms) q (queue, room)
         where q.room > 0 and not exists (select from job_pauses p where p.queue = q.queue)
    ), plain as (
        select due.*
          from open cross join lateral (
            select ranked.id
              from generate_series(1, 4) p (priority) cross join lateral (
                select j.id, j.priority, j.run_at
                  from jobs j
                 where j.state = 'available' and j.lane is null and j.queue = open.queue
                   and j.priority = p.priority and j.run_at <= now()
                   and (j.dispatched_at is null or j.dispatched_at < dispatched_before)
                 order by j.run_at, j.id
                 limit open.room
              ) ranked
             order by ranked.priority, ranked.run_at, ranked.id
             limit open.room
          ) due
    ), grouped_lanes as (
        -- From lane to lane in the index, so that the cost is by lanes and not by jobs.
        (select j.lane, j.lane_limit from jobs j
          where j.state = 'available' and j.lane is not null and j.lane_limit is not null order by j.lane limit 1)
        union all
        select next.lane, next.lane_limit
          from grouped_lanes g cross join lateral (
            select j.lane, j.lane_limit from jobs j
             where j.state = 'available' and j.lane is not null and j.lane_limit is not null and j.lane > g.lane
             order by j.lane limit 1
          ) next
    ), grouped as (
        select due.id
          from grouped_lanes g cross join lateral (
            select j.id, j.queue, j.dispatched_at
              from jobs j
             where j.state = 'available' and j.lane = g.lane and j.lane is not null and j.lane_limit is not null
               and j.run_at <= now()
             order by j.priority, j.run_at, j.id
             limit greatest(0, g.lane_limit - (select count(*) from jobs r
                                                where r.lane = g.lane and r.lane_slot is not null))
          ) due
          join open on open.queue = due.queue
         where due.dispatched_at is null or due.dispatched_at < dispatched_before
    ), ordered_lanes as (
        (select j.lane from jobs j
          where j.state = 'available' and j.lane is not null and j.lane_limit is null order by j.lane limit 1)
        union all
        select (select j.lane from jobs j
                 where j.state = 'available' and j.lane is not null and j.lane_limit is null and j.lane > o.lane
                 order by j.lane limit 1)
          from ordered_lanes o where o.lane is not null
    ), ordered as (
        select head.id
          from ordered_lanes o cross join lateral (
            select j.id, j.queue, j.run_at, j.dispatched_at
              from jobs j
             where j.state = 'available' and j.lane = o.lane and j.lane is not null and j.lane_limit is null
             order by j.sequence
             limit 1
          ) head
          join open on open.queue = head.queue
         where head.run_at <= now()
           and (head.dispatched_at is null or head.dispatched_at < dispatched_before)
           and not exists (select from jobs r where r.lane = o.lane and r.lane_slot is not null)
    )
    select plain.id from plain union all select grouped.id from grouped union all select ordered.id from ordered;
end;

-- Takes those of the jobs that are still due, and may run beside what runs already. The others are left to whoever has
-- them, or, if only their lane is full, to be dispatched again.
create function claim_jobs(claimed uuid[], lease interval)
returns table (id uuid, kind text, queue text, args jsonb, attempt integer, max_attempts integer, fence bigint,
               waited double precision)
language plpgsql volatile as $$
#variable_conflict use_column
declare
    candidate jobs;
    slot integer;
begin
    return query
        update jobs j
           set state = 'running', attempt = j.attempt + 1, fence = j.fence + 1, started_at = clock_timestamp(),
               lease_until = clock_timestamp() + lease, dispatched_at = null
         where j.id in (select d.id from jobs d
                         where d.id = any(claimed) and d.state = 'available' and d.run_at <= now() and d.lane is null
                           and not exists (select from job_pauses p where p.queue = d.queue)
                           for update skip locked)
        returning j.id, j.kind, j.queue, j.args, j.attempt, j.max_attempts, j.fence,
                  extract(epoch from clock_timestamp() - j.run_at)::double precision;
    for candidate in
        select * from jobs d
         where d.id = any(claimed) and d.state = 'available' and d.run_at <= now() and d.lane is not null
           and not exists (select from job_pauses p where p.queue = d.queue)
         order by d.sequence
           for update skip locked
    loop
        select min(free) into slot
          from generate_series(1, coalesce(candidate.lane_limit, 1)) free
         where not exists (select from jobs r where r.lane = candidate.lane and r.lane_slot = free);
        if candidate.lane_limit is null and exists (
            select from jobs e
             where e.lane = candidate.lane and e.lane is not null and e.lane_limit is null
               and e.state = 'available' and e.sequence < candidate.sequence)
        then
            slot := null;
        end if;
        begin
            if slot is null then
                update jobs j set dispatched_at = null where j.id = candidate.id;
            else
                return query
                    update jobs j
                       set state = 'running', attempt = j.attempt + 1, fence = j.fence + 1,
                           started_at = clock_timestamp(), lease_until = clock_timestamp() + lease,
                           dispatched_at = null, lane_slot = slot
                     where j.id = candidate.id
                    returning j.id, j.kind, j.queue, j.args, j.attempt, j.max_attempts, j.fence,
                              extract(epoch from clock_timestamp() - j.run_at)::double precision;
            end if;
        exception when unique_violation then
            -- Another worker took the slot in this very moment.
            update jobs j set dispatched_at = null where j.id = candidate.id;
        end;
    end loop;
end $$;

-- Adds what went wrong in an attempt; of very many, the newest twenty are kept.
create function with_error(errors jsonb, attempt integer, error text) returns jsonb language sql stable
return (case when jsonb_array_length(errors) >= 20 then errors - 0 else errors end)
       || jsonb_build_object('attempt', attempt, 'at', utc(clock_timestamp()), 'error', error);

-- Seeing ---------------------------------------------------------------------------------------------------------

-- A job as an operator may see it: of its arguments, what its kind declares to be harmless.
create function job_resource(j jobs)
returns table (id uuid, kind text, queue text, priority smallint, state job_state, attempt integer,
               max_attempts integer, args jsonb, run_at text, started_at text, finished_at text,
               cancel_requested_at text, errors jsonb, created_at text)
language sql stable rows 1 begin atomic
    select j.id, j.kind, j.queue, j.priority, j.state, j.attempt, j.max_attempts,
           (select coalesce(jsonb_object_agg(a.key, case when a.key = any(j.shown) then a.value else '"redacted"' end),
                            '{}')
              from jsonb_each(j.args) a),
           utc(j.run_at), utc(j.started_at), utc(j.finished_at), utc(j.cancel_requested_at), j.errors,
           utc(j.created_at);
end;

-- A queue as an operator sees it.
create function queue_resource(queue text, paused_at timestamptz)
returns table (name text, paused boolean, paused_at text, due bigint, scheduled bigint, running bigint,
               oldest_due_seconds double precision)
language sql stable rows 1 begin atomic
    select queue_resource.queue, queue_resource.paused_at is not null, utc(queue_resource.paused_at),
           waiting.due, waiting.scheduled,
           (select count(*) from jobs r where r.state = 'running' and r.queue = queue_resource.queue),
           waiting.oldest
      from (select count(*) filter (where j.run_at <= now()) as due, count(*) filter (where j.run_at > now()) as scheduled,
                   coalesce(extract(epoch from now() - min(j.run_at) filter (where j.run_at <= now())), 0)
                       ::double precision as oldest
              from jobs j where j.state = 'available' and j.queue = queue_resource.queue) waiting;
end;
