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

-- name: list_ticket_events_desc(ticket, viewer_id, organizations, staffed, everywhere, after, page_size, page_bytes)
-- returns: EventRow
-- A page of a ticket's timeline as far as the viewer may see it, newest first, from before a given position on. It ends
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
       and (:after::bigint is null or e.position < :after)
     order by e.position desc
     limit :page_size
), counted as (
    select f.id, f.whole, sum(f.bytes) over told as bytes, row_number() over told as place, count(*) over () as count
      from found f
    window told as (order by f.position desc)
)
select e.position, c.place < c.count as more, r.*
  from counted c join events e on e.id = c.id
 cross join lateral event_resource(e, c.whole) r
 where c.bytes <= :page_bytes or c.place = 1
 order by e.position desc;

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

-- name: list_event_log(type, actor_ids, no_actor, ticket, project, scopes, upper, upper_id, since, scan, page_size, page_bytes)
-- returns: AuditedEvent
-- A page of the log before a given place, newest first: what passes the filters of the last so many events. It ends
-- before the event with which it would have more bytes than these, but has one at least; each says if there is another.
-- Each row also says where the stretch ends that was looked at and whether it is full; one row does, even if there is no
-- event.
-- nullable: actor_ids
with theirs as materialized (
    select e.id, e.occurred_at, e.type, e.project, e.actor_id from events e where e.ticket = any(:ticket::bigint[])
), stretch as materialized (
    select b.*
      from events_back(:upper::timestamptz, :upper_id, :since::timestamptz,
                       (select bool_and(d.readers <> 'ticket') from event_types d
                         where :type::text[] is null or d.type = any(:type::text[])),
                       :scan) b
     where :ticket::bigint[] is null
     union all
    (select t.*
       from theirs t
      where not (:ticket::bigint[] is null)
        and (t.occurred_at, t.id) < (:upper::timestamptz, :upper_id) and t.occurred_at >= :since::timestamptz
      order by t.occurred_at desc, t.id desc
      limit :scan)
), found as materialized (
    select s.id, s.occurred_at
      from stretch s
      join event_types d on d.type = s.type
     where d.scope = any(:scopes::text[])
       and (:type::text[] is null or s.type = any(:type::text[]))
       and (:project::text[] is null or s.project = any(:project::text[]))
       and (:actor_ids::uuid[] is null and not :no_actor
            or :no_actor and s.actor_id is null
            or not (:actor_ids::uuid[] is null) and s.actor_id = any(:actor_ids::uuid[]))
     order by s.occurred_at desc, s.id desc
     limit :page_size
), counted as materialized (
    select one.e, sum(event_bytes(one.e)) over told as bytes, row_number() over told as place, count(*) over () as count
      from found f
      -- One by one, by their ids: a planner that has not counted the log might read all of it.
     cross join lateral (select e from events e where e.id = f.id limit 1) one
    window told as (order by f.occurred_at desc, f.id desc)
), until as (
    select count(*) = :scan as full, utc(min(s.occurred_at)) as occurred_at,
           (array_agg(s.id order by s.occurred_at, s.id))[1] as id
      from stretch s
)
select u.full as until_full, u.occurred_at as until_timestamp, u.id as until_id, e.*
  from until u
  left join lateral (
      select c.place < c.count as more, d.scope, readers.seen_by, readers.missed_by, r.*, parts.staff,
             parts.staff_previous
        from counted c
        join event_types d on d.type = (c.e).type
       cross join lateral event_readers(c.e, d.readers) readers
       cross join lateral event_resource(c.e, false) r
       cross join lateral event_parts(c.e) parts
       where c.bytes <= :page_bytes or c.place = 1
       order by c.place
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
