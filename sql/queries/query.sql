-- The query language: its condition and order are compiled into this statement, and nothing else is.

-- name: list_tickets_by_query(viewer_id, organizations, staffed, everywhere, project, type, status, resolution, priority, severity, channel, category, no_category, tags, assignee_ids, no_assignee, requester_ids, created_since, created_before, updated_since, updated_before, words, numbered, escalated, external_sources, external_ids, no_reference, condition, key, own_order, order, merged, page_size, page_bytes)
-- returns: TicketRow
-- A page of the tickets that match the filters, and the condition of a query, in an order.
-- It ends before the ticket with which it would have more bytes than these, but has one at least; each says if there is
-- another. The place after which the page begins is a part of the condition.
-- compiled: condition, key, own_order, order, merged
-- nullable: viewer_id, organizations, staffed, project, type, status, resolution, priority, severity, channel, category, tags, assignee_ids, requester_ids, created_since, created_before, updated_since, updated_before, words, numbered, escalated, external_sources, external_ids
with named as (
    select k.number
      from unnest(:external_sources::text[], :external_ids::text[]) as r (source, id)
      join tickets k on k.external_source = r.source and k.external_id = r.id
), found as materialized (
    select f.number, f.key, f.bytes
      from (
        (select t.number, :key as key, ticket_bytes(t) as bytes
           from matching_tickets(true, :viewer_id, :organizations, :staffed, :everywhere, :project, :type, :status,
                                 :resolution, :priority, :severity, :channel, :category, :no_category, :tags,
                                 :assignee_ids, :no_assignee, :requester_ids,
                                 :created_since, :created_before, :updated_since, :updated_before,
                                 :words, :numbered, :escalated) t
          where (:condition)
            and (:external_ids::text[] is null and not :no_reference
                 or :no_reference and t.external_source is null
                 or not (:external_ids::text[] is null) and t.number = any(array(select n.number from named n)))
          order by :own_order
          limit :page_size)
         union all
        (select t.number, :key as key, ticket_bytes(t) as bytes
           from matching_tickets(false, :viewer_id, :organizations, :staffed, :everywhere, :project, :type, :status,
                                 :resolution, :priority, :severity, :channel, :category, :no_category, :tags,
                                 :assignee_ids, :no_assignee, :requester_ids,
                                 :created_since, :created_before, :updated_since, :updated_before,
                                 :words, :numbered, :escalated) t
          where (:condition)
            and (:external_ids::text[] is null and not :no_reference
                 or :no_reference and t.external_source is null
                 or not (:external_ids::text[] is null) and t.number = any(array(select n.number from named n)))
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
