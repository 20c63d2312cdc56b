-- Events: what happened, in order. Nothing here writes them: each is written by the statement of the change itself.

-- name: list_ticket_events(ticket, viewer_id, staff, after, page_size)
-- returns: EventRow
-- A page of a ticket's timeline as far as the viewer may see it, oldest first, from after a given position on.
select e.position, r.*
  from visible_tickets(:viewer_id, :staff) t
  join events e on e.ticket = t.number
 cross join lateral event_resource(e) r
 where t.number = :ticket
   and (:staff or e.audience = 'public')
   and (:after::bigint is null or e.position > :after)
 order by e.position
 limit :page_size;
