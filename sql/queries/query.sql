-- The query language: conditions, orders and what is looked for are compiled into these statements, and nothing else is.
-- The filters of a list are sugar for it.

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

-- name: list_hits(viewer_id, organizations, staffed, everywhere, narrowed, staff, ascending, since, until, after, after_number, condition, asked, holds, numbers, numbered, rank, own_order, order, merged, few, scan, most)
-- returns: Hit
-- The newest tickets (or the oldest) whose documents have what a query looks for, and the last that was looked at.
-- Of no more than a `few` tickets that meet the condition, each document is looked at. Otherwise the index is read a month
-- at a time, until there are enough hits or so many documents were looked at (`scan`): then the last row, which is no hit,
-- says how far. It is the last but one, as of a ticket's two documents only the first may have been looked at. Each ticket
-- of these is looked up in turn, so they stay in order: `offset 0` leaves PostgreSQL no other way. The tickets that a
-- query names by number come in addition.
-- The documents of staff are read if `staff`, and count for tickets that the viewer staffs; the public ones for others.
-- compiled: condition, asked, holds, numbered, rank, own_order, order, merged
-- nullable: viewer_id, organizations, staffed, since, until, after, after_number
-- literal: few, scan, most
-- steady: since, until, numbers
with few as materialized (
    select f.number, f.created_at, f.project
      from (
        (select t.number, t.created_at, t.project
           from visible_tickets(true, :viewer_id, :organizations, :staffed, :everywhere) t
          where :narrowed and (:condition)
          order by :own_order
          limit :few + 1)
         union all
        (select t.number, t.created_at, t.project
           from visible_tickets(false, :viewer_id, :organizations, :staffed, :everywhere) t
          where :narrowed and (:condition)
          order by :order
          limit :few + 1)
      ) f
     order by :merged
     limit :few + 1
), size as materialized (
    select :narrowed and count(*) <= :few as few from few
), span as (
    select search_slice(least(:until::timestamptz, newest.created_at)) as last,
           search_slice(greatest(:since::timestamptz, oldest.created_at)) as first
      from (select t.created_at from tickets t order by t.created_at desc, t.number desc limit 1) newest,
           (select t.created_at from tickets t order by t.created_at, t.number limit 1) oldest
), looked as materialized (
    select f.number, f.created_at, f.internal, f.staff
      from span
     cross join lateral generate_series(case when :ascending then span.first else span.last end,
                                        case when :ascending then span.last else span.first end,
                                        case when :ascending then 1 else -1 end) as s (slice)
     cross join lateral (
        select f.number, f.created_at, f.internal, f.staff
          from (
            select d.number, d.created_at, d.internal, false as staff
              from ticket_documents d
             where d.slice = s.slice and d.text @@ (:asked) and not (:everywhere and d.internal)
               and (:after::timestamptz is null
                    or case when :ascending then (d.created_at, d.number) > (:after::timestamptz, :after_number)
                            else (d.created_at, d.number) < (:after::timestamptz, :after_number) end)
             union all
            select d.number, d.created_at, true, true
              from staff_documents d
             where :staff and d.slice = s.slice and d.text @@ (:asked)
               and (:after::timestamptz is null
                    or case when :ascending then (d.created_at, d.number) > (:after::timestamptz, :after_number)
                            else (d.created_at, d.number) < (:after::timestamptz, :after_number) end)
          ) f
         order by :merged
     ) f
     where not (select z.few from size z)
     limit :scan
), seen as materialized (
    select l.number, l.created_at, t.project
      from looked l
     cross join lateral (
        select t.project
          from visible_tickets(null, :viewer_id, :organizations, :staffed, :everywhere) t
         where t.number = l.number
           and case when l.staff then staffs(t.project, :staffed, :everywhere)
                    else not l.internal or not staffs(t.project, :staffed, :everywhere) end
           and (:condition)
        offset 0
     ) t
     limit :most
), found as (
    (select t.number, t.created_at, t.project
       from few t
      where (select z.few from size z) and (:holds)
      limit :most)
     union all
    select s.number, s.created_at, s.project from seen s
     union all
    select t.number, t.created_at, t.project
      from visible_tickets(null, :viewer_id, :organizations, :staffed, :everywhere) t
     where t.number = any(:numbers::bigint[]) and (:numbered)
)
select t.number, t.created_at, (:rank)::float8 as rank, true as hit
  from found t
 union all
(select l.number, l.created_at, 0, false
   from looked l
  where (select count(*) from seen) < :most
 offset :scan - 2
  limit 1);

-- name: list_tickets_in_order(numbers, viewer_id, organizations, staffed, everywhere, page_bytes)
-- returns: TicketRow
-- Those of these tickets that the viewer may see, in this order.
-- They end before the ticket with which they would have more bytes than these, but are one at least; each says if there
-- is another.
-- nullable: viewer_id, organizations, staffed
-- steady: numbers, organizations, staffed
with found as materialized (
    select n.place, t.number, ticket_bytes(t) as bytes
      from unnest(:numbers::bigint[]) with ordinality as n (number, place)
     cross join lateral (
        select t.*
          from visible_tickets(null, :viewer_id, :organizations, :staffed, :everywhere) t
         where t.number = n.number
        offset 0
     ) t
), counted as (
    select f.place as given, f.number, sum(f.bytes) over listed as bytes, row_number() over listed as place,
           count(*) over () as count
      from found f
    window listed as (order by f.place)
)
select c.place < c.count as more, r.*
  from counted c join tickets t on t.number = c.number
 cross join lateral ticket_resource(t) r
 where c.bytes <= :page_bytes or c.place = 1
 order by c.place;

-- name: list_passages(numbers, staffed, everywhere, sought)
-- returns: Passage
-- Of each of these tickets, the description or the newest comment that has any of what is looked for, as far as the
-- reader may see it; none if only the title has it, or an older comment than the 50 newest.
-- compiled: sought
-- nullable: staffed
-- steady: numbers, staffed
select t.number, p.comment_id, p.text
  from unnest(:numbers::bigint[]) as n (number)
  join tickets t on t.number = n.number
  join projects k on k.key = t.project
 cross join lateral (
    select null::uuid as comment_id, left(t.description, 10000) as text
     where document(k.language, '', left(t.description, 10000), '') @@ (:sought)
     union all
    select c.id, left(c.body, 10000)
      from (select c.id, c.body
              from comments c
             where c.ticket = t.number and c.body is not null and may_see(c, t.project, :staffed, :everywhere)
             order by c.created_at desc, c.id desc
             limit 50) c
     where document(k.language, '', left(c.body, 10000), '') @@ (:sought)
     limit 1
 ) p;

-- name: list_marked(words, sought)
-- returns: MarkedWord
-- Which of these words are of what is looked for, in any language that projects have.
-- compiled: sought
-- steady: words
with languages as materialized (
    select p.language from projects p union select 'other'
), sought as materialized (
    select (:sought)::tsquery as words
)
select distinct w.word
  from (select w.word, search_plain(w.word) || case when w.word ~ '[a-z0-9][A-Z]|[^ -~]' then ' ' || search_parts(w.word)
                                                    else '' end as plain
          from unnest(:words::text[]) as w (word)
        offset 0) w
 cross join languages l
 cross join sought s
 where to_tsvector(search_configuration(l.language), w.plain) @@ s.words;

-- name: limit_time(milliseconds)$
-- Give each statement so long until the transaction ends.
select set_config('statement_timeout', :milliseconds, true);
