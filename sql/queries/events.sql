-- Events: what happened, in order. Each is written by the statement of the change itself, or with others of its change.

-- name: insert_events(actor_id, events)!
-- Record what one change did, in this order.
-- Events: {id, type, ticket, project, internal, data, previous}
-- nullable: actor_id
insert into events (id, type, ticket, project, actor_id, internal, data, previous)
select e.id, e.type, e.ticket, e.project, :actor_id, e.internal, e.data, e.previous
  from rows from (jsonb_to_recordset(:events) as (id uuid, type text, ticket bigint, project text,
                                                  internal boolean, data jsonb, previous jsonb))
       with ordinality as e
 order by e.ordinality;

-- name: list_ticket_events(ticket, viewer_id, organizations, staffed, everywhere, after, page_size, page_bytes)
-- returns: EventRow
-- A page of a ticket's timeline as far as the viewer may see it, oldest first, from after a given position on. It ends
-- before the event with which it would have more bytes than these, but has one at least; each says if there is another.
-- nullable: viewer_id, organizations, staffed
with found as materialized (
    select e.id, e.position, event_bytes(e) as bytes, staffs(t.project, :staffed, :everywhere) as whole
      from tickets t
      join events e on e.ticket = t.number
     where t.number = :ticket
       and may_see(t, :viewer_id, :organizations, :staffed, :everywhere, array(table public_projects))
       and (staffs(t.project, :staffed, :everywhere) or not event_is_internal(e))
       and e.type = any(array(select d.type from event_types d where d.readers = 'ticket'))
       and (:after::bigint is null or e.position > :after)
     order by e.position
     limit :page_size
), counted as (
    select f.id, f.whole, sum(f.bytes) over told as bytes, row_number() over told as place, count(*) over () as count
      from found f
    window told as (order by f.position)
)
select e.position, c.place < c.count as more, r.*
  from counted c join events e on e.id = c.id
 cross join lateral event_resource(e, c.whole) r
 where c.bytes <= :page_bytes or c.place = 1
 order by e.position;

-- name: get_event_log()^
-- returns: EventLog
-- What holds for the log as a whole, and where it ends for now.
select l.key, l.expired_transaction::text::bigint as expired_transaction, l.expired_position,
       l.added, l.added_after::text::bigint as added_after, log_end()::text::bigint as ends_before
  from event_log l;

-- name: list_event_types(types)
-- returns: EventTypeDeclared
-- What is declared of these types.
select d.type, d.scope, d.internal from event_types d where d.type = any(:types) order by d.type;

-- name: list_feed(after_transaction, after_position, type, project, reader, scopes, scan, scan_bytes, page_size)
-- returns: LogEntry
-- A page of the log from after a given place on: what a reader with these scopes, if given, may see or has to be told is
-- gone. It looks at so many events and bytes at most; each row also says how far that went, and one row does even if
-- there is no event.
with stretch as materialized (
    select case when page.more then page.transaction_id else log_end() end as transaction_id,
           case when page.more then page.position else 0 end as position, coalesce(page.more, false) as more
      from (select) as one
      left join lateral log_page(:after_transaction::bigint::text::xid8, :after_position, :scan, :scan_bytes) page
        on true
)
select s.transaction_id::text::bigint as until_transaction, s.position as until_position, s.more, e.*
  from stretch s
  left join lateral (
      select l.transaction_id::text::bigint as transaction_id, l.position, d.scope, readers.seen_by, readers.missed_by, r.*, parts.staff,
             parts.staff_previous
        from events_after(:after_transaction::bigint::text::xid8, :after_position) l
        left join event_types d on d.type = l.type
       cross join lateral event_readers(l, d.readers) readers
       cross join lateral event_resource(l, false) r
       cross join lateral event_parts(l) parts
       where (l.transaction_id, l.position) <= (s.transaction_id, s.position)
         and (:type::text[] is null or l.type = any(:type::text[]))
         and (:project::text[] is null or l.project = any(:project::text[]))
         and (:scopes::text[] is null or d.scope = any(:scopes::text[]))
         and (:reader::text[] is null or readers.seen_by && :reader::text[] or readers.missed_by && :reader::text[])
       order by l.transaction_id, l.position
       limit :page_size
  ) e on true;

-- name: expire_events(recorded_before, batch)!
-- Take the oldest events out of the log, and note how far it has become void.
with oldest as materialized (
    select l.id
      from events_after('0', 0) l
     order by l.transaction_id, l.position
     limit :batch
), deleted as (
    delete from events e
     where e.id = any(array(select id from oldest)) and e.recorded_at < :recorded_before::timestamptz
    returning e.transaction_id, e.position
), noted as (
    update event_log l
       set expired_transaction = d.transaction_id, expired_position = d.position
      from (select transaction_id, position from deleted order by transaction_id desc, position desc limit 1) d
     where (d.transaction_id, d.position) > (l.expired_transaction, l.expired_position)
)
select from deleted;

-- name: is_event_log_ahead()$
-- Whether the log has transactions that this server has yet to count up to, as after a restore.
select event_log_is_ahead();

-- name: mend_event_log()$
-- Have new events come after all that are there. False: they do.
select mend_event_log();
