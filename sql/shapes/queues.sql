-- Queues, as an operator sees them.

-- When the jobs of a queue come due that wait from after one moment until another.
-- Of each lane and priority it gives the first `most`, so that a caller who wants no more reads no more.
create or replace function waiting_jobs(queue text, after timestamptz, until timestamptz, most integer)
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

-- The contract's Queue; waiting jobs are counted up to 10,000.
create or replace function queue_resource(queue text, paused_at timestamptz)
returns table (name text, paused boolean, paused_at text, due bigint, scheduled bigint, running bigint,
               oldest_due_seconds double precision)
language sql stable rows 1 begin atomic
    select queue_resource.queue, queue_resource.paused_at is not null, utc(queue_resource.paused_at),
           (select count(*)
              from (select from waiting_jobs(queue_resource.queue, '-infinity', now(), 10000) limit 10000) due),
           (select count(*)
              from (select from waiting_jobs(queue_resource.queue, now(), 'infinity', 10000) limit 10000) scheduled),
           (select count(*) from jobs r where r.state = 'running' and r.queue = queue_resource.queue),
           coalesce((select extract(epoch from now() - min(o.run_at))
                       from waiting_jobs(queue_resource.queue, '-infinity', now(), 1) o), 0)::double precision;
end;
