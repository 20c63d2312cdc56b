-- What an event tells staff alone is in columns of its own, so that what is shown to others cannot hold it.

-- `data` and `previous` are for whoever may read the event; these are what staff see besides, or instead. Null: nothing.
alter table events add column staff jsonb, add column staff_previous jsonb;
-- The message for endpoints with `include_internal`, if it is another one.
alter table webhook_messages add column internal_body text;

-- The parts of an event. What a project was like while it was private is for staff. The releases before this one have
-- written that into `data` and `previous`.
create function event_parts(e events)
returns table (data jsonb, previous jsonb, staff jsonb, staff_previous jsonb)
language sql immutable rows 1 begin atomic
    select case when split.hidden then e.data || (e.previous - 'visibility') else e.data end,
           case when split.hidden or split.shown then jsonb_build_object('visibility', e.previous -> 'visibility')
                else e.previous end,
           case when split.hidden then e.data else e.staff end,
           case when split.hidden or split.shown then e.previous else e.staff_previous end
      from (select e.type = 'project.updated' and e.staff_previous is null
                       and e.previous ->> 'visibility' = 'public' as hidden,
                   e.type = 'project.updated' and e.staff_previous is null
                       and e.previous ->> 'visibility' = 'private' as shown) split;
end;

-- An event as the contract says it: to staff whole, to others without what is for staff.
create function event_resource(e events, whole boolean)
returns table (id uuid, type text, occurred_at text, ticket bigint, project text, actor jsonb,
               data jsonb, previous jsonb)
language sql stable rows 1 begin atomic
    select e.id, e.type, utc(e.occurred_at), e.ticket, e.project,
           (select user_ref(u) from users u where u.id = e.actor_id),
           case when event_resource.whole then parts.data || coalesce(parts.staff, '{}') else parts.data end,
           case when event_resource.whole then parts.previous || coalesce(parts.staff_previous, '{}')
                else parts.previous end
      from event_parts(e) parts;
end;

-- An event as webhooks tell it: the contract's Event, and its place in the log.
create function event_told(e events, whole boolean) returns jsonb language sql stable
return (select to_jsonb(r) || jsonb_build_object('position', e.position) from event_resource(e, event_told.whole) r);

-- How many bytes an event has, uncompressed.
create function event_bytes(e events) returns integer language sql stable
return plain_size(e.data) + plain_size(e.previous)
       + coalesce(plain_size(e.staff), 0) + coalesce(plain_size(e.staff_previous), 0);

-- What an endpoint is sent of a message.
create function message_body(m webhook_messages, w webhook_endpoints) returns text language sql immutable
return case when w.include_internal then coalesce(m.internal_body, m.body) else m.body end;

-- As before, with the columns of the message and of the event that are for staff.
create or replace function delivery_detail_resource(d deliveries)
returns table (id uuid, endpoint_id uuid, event_id uuid, type text, status delivery_status, attempt_count int,
               created_at text, next_attempt_at text, settled_at text, body text, attempts jsonb)
language sql stable rows 1 begin atomic
    select d.id, d.endpoint_id, d.event_id, d.type, d.status, d.attempt_count,
           utc(d.created_at), utc(d.next_attempt_at), utc(d.settled_at),
           coalesce((select message_body(m, w)
                       from webhook_endpoints w join webhook_messages m on m.format = w.format
                      where w.id = d.endpoint_id and m.event_id = d.event_id), ''),
           (select coalesce(jsonb_agg(jsonb_build_object(
                       'number', a.number, 'started_at', utc(a.started_at), 'milliseconds', a.milliseconds,
                       'status', a.status, 'answer', a.answer, 'error', a.error) order by a.number), '[]')
              from delivery_attempts a where a.delivery_id = d.id);
end;

create or replace function events_after(after_transaction xid8, after_position bigint)
returns setof events language sql stable begin atomic
    select *
      from events e
     where (e.transaction_id, e.position) > (after_transaction, after_position)
       and e.transaction_id < log_end();
end;

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
