-- The query language: conditions and orders are compiled into these statements, and nothing else is. The filters of a
-- list are sugar for it.

-- name: list_all_tickets(condition, key, order, merged, page_size, page_bytes)
-- returns: TicketRow
-- A page of the tickets that match, in an order, for who sees them all.
-- It ends before the ticket with which it would have more bytes than these, but has one at least; each says if there is
-- another. The place after which the page begins is a part of the condition.
-- compiled: condition, key, order, merged
with found as materialized (
    select t.number, :key as key, ticket_bytes(t) as bytes
      from tickets t
     where :condition
     order by :order
     limit :page_size
), counted as (
    select f.number, sum(f.bytes) over listed as bytes, row_number() over listed as place, count(*) over () as count
      from found f
    window listed as (order by :merged)
)
select c.place < c.count as more, r.*
  from counted c join tickets t on t.number = c.number
 cross join lateral ticket_resource(t) r
 where c.bytes <= :page_bytes or c.place = 1
 order by c.place;

-- name: list_seen_tickets(viewer_id, organizations, staffed, everywhere, project, requester_ids, condition, key, own_order, order, merged, page_size, page_bytes)
-- returns: TicketRow
-- The same for who sees some. If the condition names projects and requesters, they are given besides, as they decide on
-- what has to be read.
-- compiled: condition, key, own_order, order, merged
-- nullable: viewer_id, organizations, staffed, project, requester_ids
with found as materialized (
    select f.number, f.key, f.bytes
      from (
        (select t.number, :key as key, ticket_bytes(t) as bytes
           from matching_tickets(true, :viewer_id, :organizations, :staffed, :everywhere, :project, null, null, null,
                                 null, null, null, null, false, null, null, false, :requester_ids, null, null, null,
                                 null, null, null, null) t
          where :condition
          order by :own_order
          limit :page_size)
         union all
        (select t.number, :key as key, ticket_bytes(t) as bytes
           from matching_tickets(false, :viewer_id, :organizations, :staffed, :everywhere, :project, null, null, null,
                                 null, null, null, null, false, null, null, false, :requester_ids, null, null, null,
                                 null, null, null, null) t
          where :condition
          order by :order
          limit :page_size)
      ) f
     order by :merged
     limit :page_size
), counted as (
    select f.number, sum(f.bytes) over listed as bytes, row_number() over listed as place, count(*) over () as count
      from found f
    window listed as (order by :merged)
)
select c.place < c.count as more, r.*
  from counted c join tickets t on t.number = c.number
 cross join lateral ticket_resource(t) r
 where c.bytes <= :page_bytes or c.place = 1
 order by c.place;
