-- Jobs are claimed by their ids, however many wait.

-- Takes those of the jobs that are still due, and may run beside what runs already. The others are left to whoever has
-- them, or, if only their lane is full, to be dispatched again. What is available has neither a lease nor an end: said
-- like that, as with `state = 'available'` a planner that has last counted in a quiet hour reads all that waits.
create or replace function claim_jobs(claimed uuid[], lease interval)
returns table (id uuid, kind text, queue text, args jsonb, attempt integer, max_attempts integer, fence bigint,
               laned boolean, waited double precision)
language plpgsql volatile as $$
#variable_conflict use_column
declare
    candidate jobs;
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
    for candidate in
        select * from jobs d
         where d.id = any(claimed) and d.lease_until is null and d.finished_at is null
           and d.run_at <= now() and d.lane is not null
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
                    returning j.id, j.kind, j.queue, j.args, j.attempt, j.max_attempts, j.fence, j.lane is not null,
                              extract(epoch from clock_timestamp() - j.run_at)::double precision;
            end if;
        exception when unique_violation then
            -- Another worker took the slot in this very moment.
            update jobs j set dispatched_at = null where j.id = candidate.id;
        end;
    end loop;
end $$;
