-- The event log: the order of its transactions, how far it is settled, and its pages.

-- The log's number for a transaction of this server: the server's own, and what `mend_event_log` has added.
-- It is what an insert into events calls once the log was mended. PL/pgSQL keeps the plan; an SQL function would be
-- planned each time.
create or replace function log_id(id xid8) returns xid8 language plpgsql stable as $$
begin
    return (id::text::bigint + (select l.added from event_log l))::text::xid8;
end;
$$;

-- The end of the settled log: every transaction before it has ended, every later one comes after it.
create or replace function log_end() returns xid8 language sql stable
return log_id(pg_snapshot_xmin(pg_current_snapshot()));

-- The settled log after a given place: nothing will ever be added before what it gives.
create or replace function events_after(after_transaction xid8, after_position bigint)
returns setof events language sql stable as $$
    select *
      from events e
     where (e.transaction_id, e.position) > (after_transaction, after_position)
       and e.transaction_id < log_end();
$$;

-- Bytes of a value in JSON at most, where a quote or a line break takes two. What is compressed is unpacked.
create or replace function most_bytes_told(value jsonb) returns integer language sql stable
return 2 * pg_column_size(value || '{}');

-- Where the page of the log ends that begins after a given place, and whether the log goes on.
-- A page has at most so many events, and no more bytes than these unless it is one event alone; bytes do not count if
-- `most_bytes` is null. Nothing beyond the page is unpacked, so a page costs the same whatever the log holds.
create or replace function log_page(
    after_transaction xid8, after_position bigint, most_events integer, most_bytes integer
)
returns table (transaction_id xid8, "position" bigint, more boolean)
language plpgsql stable rows 1
-- A planner without statistics would read all of the log and sort it.
set enable_seqscan = off
set enable_bitmapscan = off
as $$
declare
    event  record;
    events integer := 0;
    bytes  bigint := 0;
begin
    more := false;
    for event in
        select l.transaction_id, l.position, l.data, l.previous, l.staff, l.staff_previous
          from events_after(after_transaction, after_position) l
         order by l.transaction_id, l.position
         limit most_events + 1
    loop
        more := events = most_events;
        exit when more;
        if most_bytes is not null then
            bytes := bytes + most_bytes_told(event.data) + most_bytes_told(event.previous)
                     + coalesce(most_bytes_told(event.staff), 0) + coalesce(most_bytes_told(event.staff_previous), 0);
            more := events > 0 and bytes > most_bytes;
            exit when more;
        end if;
        events := events + 1;
        transaction_id := event.transaction_id;
        "position" := event.position;
    end loop;
    if events > 0 then
        return next;
    end if;
end;
$$;

-- The last so many events before a moment and an id, and not before `since`, newest first.
-- Those of tickets are left out if they are to be `apart`. It goes by an index whatever the planner knows, so a stretch
-- costs the same, however long the log is.
create or replace function events_back(
    upper timestamptz, upper_id uuid, since timestamptz, apart boolean, most_events integer
)
returns table (id uuid, occurred_at timestamptz, type text, project text, actor_id uuid)
language plpgsql stable rows 1000
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
begin
    if apart then
        return query
        select e.id, e.occurred_at, e.type, e.project, e.actor_id from events e
         where (e.occurred_at, e.id) < (upper, upper_id) and e.occurred_at >= since and e.ticket is null
         order by e.occurred_at desc, e.id desc limit most_events;
    else
        return query
        select e.id, e.occurred_at, e.type, e.project, e.actor_id from events e
         where (e.occurred_at, e.id) < (upper, upper_id) and e.occurred_at >= since
         order by e.occurred_at desc, e.id desc limit most_events;
    end if;
end;
$$;

-- Whether the log has transactions that this server has yet to count up to, as after a restore on another server.
-- It looks at the last event alone: a planner without statistics expects to find one at once, and reads all of them.
create or replace function event_log_is_ahead() returns boolean language sql stable
return coalesce((select e.transaction_id from events e order by e.transaction_id desc, e.position desc limit 1)
                >= log_id(pg_snapshot_xmax(pg_current_snapshot())), false);

-- Makes log_id count on from above all that is in the log; false if there is nothing to mend.
-- The steps are so large that no place before one can be after it, so places that readers hold stay what they are.
-- Nothing is locked unless there is something to mend.
create or replace function mend_event_log() returns boolean language plpgsql as $$
declare
    step   constant bigint := 2 ^ 44;
    log    event_log;
    latest events;
    base   bigint;
begin
    if not event_log_is_ahead() then
        return false;
    end if;
    lock table events in access exclusive mode;
    if not event_log_is_ahead() then
        return false;
    end if;
    select * into strict log from event_log for update;
    select * into strict latest from events order by transaction_id desc, position desc limit 1;
    base := (latest.transaction_id::text::bigint / step + 1) * step;
    -- What a service that was started too soon has written since the restore comes last, as it happened last.
    update events
       set transaction_id = (transaction_id::text::bigint - log.added + base)::text::xid8
     where position > latest.position
       and transaction_id < log_id(pg_snapshot_xmax(pg_current_snapshot()));
    update event_log set added = base, added_after = latest.transaction_id;
    -- By the numbers of the other server, none of these transactions would ever have ended.
    update ticket_documents set erased_by = null where erased_by is not null;
    update staff_documents set erased_by = null where erased_by is not null;
    alter table events alter column transaction_id set default log_id(pg_current_xact_id());
    return true;
end;
$$;
