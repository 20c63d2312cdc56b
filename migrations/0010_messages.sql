-- The log is read by bytes as well as by events, and what is told of an event is written once for each format.

-- How many bytes a value has, uncompressed. Only what is compressed has to be unpacked for that.
create function plain_size(value jsonb) returns integer language sql stable
return case when pg_column_compression(value) is null then pg_column_size(value) else octet_length(value::text) end;

-- How many bytes a value has in JSON at most, where a quote or a line break is two. What is compressed is unpacked.
create function most_bytes_told(value jsonb) returns integer language sql stable
return 2 * pg_column_size(value || '{}');

-- An event as it is told: the contract's Event, and its place in the log.
create function event_told(e events) returns jsonb language sql stable
return (select to_jsonb(r) || jsonb_build_object('position', e.position) from event_resource(e) r);

-- Where a page of the log ends that begins after a given place: so many events at most, and no more bytes than these
-- unless it is one event alone. `more` tells that the log goes on. It unpacks nothing beyond the page, so that a page
-- costs the same whatever was written into the log. Null for the bytes: they do not count, and are not looked at.
create function log_page(
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

-- What endpoints of a format are told of an event: the same bytes for all of them, and at each try. It is written when
-- the log is read, or else before it is first sent.
create table webhook_messages (
    event_id uuid not null,
    format   webhook_format not null,
    body     text not null,
    primary key (event_id, format)
);
insert into webhook_messages (event_id, format, body)
select distinct on (d.event_id, w.format) d.event_id, w.format, d.body
  from deliveries d join webhook_endpoints w on w.id = d.endpoint_id
 order by d.event_id, w.format, d.id desc;

create or replace function delivery_detail_resource(d deliveries)
returns table (id uuid, endpoint_id uuid, event_id uuid, type text, status delivery_status, attempt_count int,
               created_at text, next_attempt_at text, settled_at text, body text, attempts jsonb)
language sql stable rows 1 begin atomic
    select d.id, d.endpoint_id, d.event_id, d.type, d.status, d.attempt_count,
           utc(d.created_at), utc(d.next_attempt_at), utc(d.settled_at),
           coalesce((select m.body
                       from webhook_endpoints w join webhook_messages m on m.format = w.format
                      where w.id = d.endpoint_id and m.event_id = d.event_id), ''),
           (select coalesce(jsonb_agg(jsonb_build_object(
                       'number', a.number, 'started_at', utc(a.started_at), 'milliseconds', a.milliseconds,
                       'status', a.status, 'answer', a.answer, 'error', a.error) order by a.number), '[]')
              from delivery_attempts a where a.delivery_id = d.id);
end;

-- By event first: the deliveries of an event are looked for, those of an endpoint have an index of their own.
alter table deliveries
    drop column body,
    drop constraint deliveries_endpoint_id_event_id_key,
    add constraint deliveries_once unique (event_id, endpoint_id);

-- The job that sends a delivery; one at most. The kind's settings are those of its handler, but that a chat is told one
-- thing after the other, as people read it in the order in which it comes.
create or replace function enqueue_delivery(delivery uuid, endpoint uuid, due timestamptz, queue text,
                                            max_attempts integer, group_limit integer)
returns uuid language sql volatile
return enqueue_job('webhooks.deliver', jsonb_build_object('delivery_id', delivery), queue => enqueue_delivery.queue,
                   run_at => due, max_attempts => enqueue_delivery.max_attempts, unique_key => delivery::text,
                   group_name => 'webhook:' || endpoint,
                   group_limit => case when exists (select from webhook_endpoints w
                                                     where w.id = endpoint and w.format <> 'standard')
                                       then 1 else enqueue_delivery.group_limit end,
                   shown => '{delivery_id}');

-- By the last event alone: a planner that has not counted the log yet expects to find one at once, and reads all of it.
create or replace function event_log_is_ahead() returns boolean language sql stable
return coalesce((select e.transaction_id from events e order by e.transaction_id desc, e.position desc limit 1)
                >= log_id(pg_snapshot_xmax(pg_current_snapshot())), false);
