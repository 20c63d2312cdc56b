-- A job that is available and said to be announced has a message on its way. So whoever takes the message takes the job,
-- or takes the announcement back: then the next look announces it again.

-- Takes those of the jobs that are still due, and may run beside what runs already. Of the others, what somebody else
-- has locked is left as it is, and to be claimed again; of the rest it is noted that they are not announced any more.
-- What is available has neither a lease nor an end: said like that, as with `state = 'available'` a planner that has
-- last counted in a quiet hour reads all that waits.
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

-- By queue first, so that what is due, and how much, is found queue by queue: those that are paused cost nothing.
drop index jobs_lane_due;
create index jobs_lane_due on jobs (queue, lane, priority, run_at, id)
    where state = 'available' and lane is not null and lane_limit is not null;
create index jobs_lane_waiting on jobs (queue, lane, priority, run_at)
    where state = 'available' and lane is not null and lane_limit is null;

-- The jobs to start next, at most `room` of each queue, but none that was dispatched after a given moment. Whether a
-- lane has room is said as by claim_jobs. Nothing is locked: whoever takes them has to look again.
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
        -- From lane to lane in the index, so that the cost is by lanes and not by jobs. Those of queues that are paused,
        -- or not ours, stand in nobody's way.
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

-- When the jobs come due that wait in a queue from after one moment until another: of each lane and priority the first
-- `most`, so that whoever wants no more than that reads no more.
create function waiting_jobs(queue text, after timestamptz, until timestamptz, most integer)
returns table (run_at timestamptz) language sql stable begin atomic
    with recursive grouped_lanes as (
        (select j.lane from jobs j
          where j.state = 'available' and j.lane is not null and j.lane_limit is not null
            and j.queue = waiting_jobs.queue
          order by j.lane limit 1)
        union all
        select next.lane
          from grouped_lanes g cross join lateral (
            select j.lane from jobs j
             where j.state = 'available' and j.lane is not null and j.lane_limit is not null
               and j.queue = waiting_jobs.queue and j.lane > g.lane
             order by j.lane limit 1
          ) next
    ), ordered_lanes as (
        (select j.lane from jobs j
          where j.state = 'available' and j.lane is not null and j.lane_limit is null and j.queue = waiting_jobs.queue
          order by j.lane limit 1)
        union all
        select next.lane
          from ordered_lanes o cross join lateral (
            select j.lane from jobs j
             where j.state = 'available' and j.lane is not null and j.lane_limit is null
               and j.queue = waiting_jobs.queue and j.lane > o.lane
             order by j.lane limit 1
          ) next
    )
    select plain.run_at
      from generate_series(1, 4) p (priority) cross join lateral (
        select j.run_at from jobs j
         where j.state = 'available' and j.lane is null and j.queue = waiting_jobs.queue
           and j.priority = p.priority and j.run_at > waiting_jobs.after and j.run_at <= waiting_jobs.until
         order by j.run_at limit waiting_jobs.most
      ) plain
    union all
    select grouped.run_at
      from grouped_lanes g cross join generate_series(1, 4) p (priority) cross join lateral (
        select j.run_at from jobs j
         where j.state = 'available' and j.lane is not null and j.lane_limit is not null
           and j.queue = waiting_jobs.queue and j.lane = g.lane
           and j.priority = p.priority and j.run_at > waiting_jobs.after and j.run_at <= waiting_jobs.until
         order by j.run_at limit waiting_jobs.most
      ) grouped
    union all
    select ordered.run_at
      from ordered_lanes o cross join generate_series(1, 4) p (priority) cross join lateral (
        select j.run_at from jobs j
         where j.state = 'available' and j.lane is not null and j.lane_limit is null
           and j.queue = waiting_jobs.queue and j.lane = o.lane
           and j.priority = p.priority and j.run_at > waiting_jobs.after and j.run_at <= waiting_jobs.until
         order by j.run_at limit waiting_jobs.most
      ) ordered;
end;

-- A queue as an operator sees it; its jobs are counted as far as 10,000.
create or replace function queue_resource(queue text, paused_at timestamptz)
returns table (name text, paused boolean, paused_at text, due bigint, scheduled bigint, running bigint,
               oldest_due_seconds double precision)
language sql stable rows 1 begin atomic
    select queue_resource.queue, queue_resource.paused_at is not null, utc(queue_resource.paused_at),
           (select count(*) from (select from waiting_jobs(queue_resource.queue, '-infinity', now(), 10000) limit 10000) d),
           (select count(*) from (select from waiting_jobs(queue_resource.queue, now(), 'infinity', 10000) limit 10000) s),
           (select count(*) from jobs r where r.state = 'running' and r.queue = queue_resource.queue),
           coalesce((select extract(epoch from now() - min(o.run_at))
                       from waiting_jobs(queue_resource.queue, '-infinity', now(), 1) o), 0)::double precision;
end;
drop function waiting_jobs(text);
