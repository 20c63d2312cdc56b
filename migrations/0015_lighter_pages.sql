-- A page of the log finds where it ends without writing its events as JSON.

-- How many bytes a value has in JSON at most, where a quote or a line break is two. What is compressed is unpacked.
create function most_bytes_told(value jsonb) returns integer language sql stable
return 2 * pg_column_size(value || '{}');

-- As in migrations/0010, by that.
create or replace function log_page(
    after_transaction xid8, after_position bigint, most_events integer, most_bytes integer
)
returns table (transaction_id xid8, "position" bigint, more boolean)
language plpgsql stable rows 1
-- A planner that has not counted the log yet would read all of it and sort that.
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
        select l.transaction_id, l.position, l.data, l.previous
          from events_after(after_transaction, after_position) l
         order by l.transaction_id, l.position
         limit most_events + 1
    loop
        more := events = most_events;
        exit when more;
        if most_bytes is not null then
            bytes := bytes + most_bytes_told(event.data) + most_bytes_told(event.previous);
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
