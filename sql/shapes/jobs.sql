-- Jobs: how they are enqueued, found, claimed and shown.

-- An id that sorts by the time it was made (RFC 9562, version 7).
create or replace function new_job_id() returns uuid language sql volatile
return encode(
    set_bit(set_bit(overlay(
        uuid_send(gen_random_uuid())
        placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
        52, 1), 53, 1), 'hex')::uuid;

-- Adds a job in the caller's transaction; null if there is one of that kind with that unique key.
create or replace function enqueue_job(
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

-- The jobs to start next: at most `room` of each queue, none that was dispatched after a given moment.
-- Whether a lane has room is decided as in claim_jobs. Nothing is locked: whoever takes the jobs has to look again.
create or replace function due_jobs(queues text[], rooms integer[], dispatched_before timestamptz)
returns table (id uuid) language sql stable rows 100 begin atomic
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
        -- Lanes of queues that are paused, or not ours, are not looked at.
        (select open.queue, first.lane, first.lane_limit
           from open cross join lateral (
             select j.lane, j.lane_limit from jobs j
              where j.state = 'available' and j.lane is not null and j.lane_limit is not null and j.queue = open.queue
              order by j.lane limit 1
           ) first)
        union all
        select g.queue, next.lane, next.lane_limit
          from grouped_lanes g cross join lateral (
            select j.lane, j.lane_limit from jobs j
             where j.state = 'available' and j.lane is not null and j.lane_limit is not null and j.queue = g.queue
               and j.lane > g.lane
             order by j.lane limit 1
          ) next
    ), grouped as (
        select ranked.id
          from (
            select due.id, due.dispatched_at, free.slots,
                   row_number() over (partition by g.lane order by due.priority, due.run_at, due.id) as place
              from grouped_lanes g
             cross join lateral (
                select greatest(0, g.lane_limit - count(*)) as slots, count(*) as held
                  from jobs r where r.lane = g.lane and r.lane_slot is not null
             ) free
             cross join lateral (
                select first.*
                  from generate_series(1, 4) p (priority) cross join lateral (
                    select j.id, j.priority, j.run_at, j.dispatched_at
                      from jobs j
                     where j.state = 'available' and j.lane is not null and j.lane_limit is not null
                       and j.queue = g.queue and j.lane = g.lane and j.priority = p.priority and j.run_at <= now()
                       and j.lane_limit > free.held
                     order by j.run_at, j.id
                     limit free.slots
                  ) first
                 order by first.priority, first.run_at, first.id
                 limit free.slots
             ) due
          ) ranked
         where ranked.place <= ranked.slots
           and (ranked.dispatched_at is null or ranked.dispatched_at < dispatched_before)
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

-- Takes those of the jobs that are still due and may run beside what runs already.
-- A job that somebody else has locked is left alone, to be claimed again; the rest are marked as no longer announced.
-- An available job has neither a lease nor an end: with `state = 'available'` instead, a planner whose statistics are
-- from a quiet hour would read all that waits.
create or replace function claim_jobs(claimed uuid[], lease interval)
returns table (id uuid, kind text, queue text, args jsonb, attempt integer, max_attempts integer, fence bigint,
               laned boolean, waited double precision)
language plpgsql volatile as $$
#variable_conflict use_column
declare
    candidate jobs;
    may_run boolean;
    slot integer;
    taken_rows integer;
begin
    return query
        with taken as materialized (
            select d.id from jobs d
             where d.id = any(claimed) and d.lease_until is null and d.finished_at is null
               and d.run_at <= now() and d.lane is null
               and not exists (select from job_pauses p where p.queue = d.queue)
               for update skip locked
        )
        update jobs j
           set state = 'running', attempt = j.attempt + 1, fence = j.fence + 1, started_at = clock_timestamp(),
               lease_until = clock_timestamp() + lease, dispatched_at = null
          from taken
         where j.id = taken.id
        returning j.id, j.kind, j.queue, j.args, j.attempt, j.max_attempts, j.fence, j.lane is not null,
                  extract(epoch from clock_timestamp() - j.run_at)::double precision;
    get diagnostics taken_rows = row_count;
    if taken_rows = cardinality(claimed) then
        return;
    end if;
    <<candidates>>
    for candidate in
        select * from jobs d
         where d.id = any(claimed) and d.lease_until is null and d.finished_at is null
         -- In one order everywhere, as a slot that another worker is just taking is waited for.
         order by d.lane, d.sequence
           for update skip locked
    loop
        slot := null;
        may_run := candidate.run_at <= now()
            and not exists (select from job_pauses p where p.queue = candidate.queue)
            and (candidate.lane is null or candidate.lane_limit is not null
                 or not exists (
                    select from jobs e
                     where e.lane = candidate.lane and e.lane is not null and e.lane_limit is null
                       and e.state = 'available' and e.sequence < candidate.sequence));
        while may_run loop
            if candidate.lane is not null then
                select min(free) into slot
                  from generate_series(1, coalesce(candidate.lane_limit, 1)) free
                 where not exists (select from jobs r where r.lane = candidate.lane and r.lane_slot = free)
                   and (select count(*) from jobs r where r.lane = candidate.lane and r.lane_slot is not null)
                       < coalesce(candidate.lane_limit, 1);
                exit when slot is null;
            end if;
            begin
                return query
                    update jobs j
                       set state = 'running', attempt = j.attempt + 1, fence = j.fence + 1,
                           started_at = clock_timestamp(), lease_until = clock_timestamp() + lease,
                           dispatched_at = null, lane_slot = slot
                     where j.id = candidate.id
                    returning j.id, j.kind, j.queue, j.args, j.attempt, j.max_attempts, j.fence, j.lane is not null,
                              extract(epoch from clock_timestamp() - j.run_at)::double precision;
                continue candidates;
            exception when unique_violation then
                -- Another worker took the slot in this very moment. There may be one more.
            end;
        end loop;
        update jobs j set dispatched_at = null where j.id = candidate.id and j.dispatched_at is not null;
    end loop;
end $$;

-- The errors of a job with one more; of very many, the newest twenty are kept.
create or replace function with_error(errors jsonb, attempt integer, error text) returns jsonb language sql stable
return (case when jsonb_array_length(errors) >= 20 then errors - 0 else errors end)
       || jsonb_build_object('attempt', attempt, 'at', utc(clock_timestamp()), 'error', error);

-- The contract's Job: of its arguments, those that its kind declares harmless.
create or replace function job_resource(j jobs)
returns table (id uuid, type text, queue text, priority smallint, status job_state, attempt integer,
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
