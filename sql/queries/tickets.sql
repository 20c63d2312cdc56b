-- Tickets: the unit of work. Every read and every lock goes by may_see, lists by matching_tickets.

-- name: insert_ticket(event_id, idempotency_key, fingerprint, actor_id, staffed, everywhere, type, project, title, description, severity, category, tags, environment, priority, channel, requester_id)$
-- Insert a ticket and its event, which holds the Ticket. No row if a reference is unavailable or the key is in use.
-- nullable: fingerprint, staffed
with place as materialized (
    select p.key as project, c.key as category
      from projects p
      left join categories c on c.project = p.key and c.key = :category and not c.archived
     where p.key = :project
       and not p.archived
       and may_see(p, :staffed, :everywhere)
       and :type::ticket_type = any(p.ticket_types)
       and (:category::text is null or c.key is not null)
       and exists (select from users where id = :requester_id and active)
), inserted as (
    insert into tickets as t (type, project, category, title, description, severity, tags, environment, priority,
                              channel, requester_id)
    select :type::ticket_type, place.project, place.category, :title, :description, :severity::ticket_severity,
           :tags::text[], :environment::jsonb, :priority::ticket_priority, :channel::ticket_channel, :requester_id
      from place
     where :idempotency_key::text is null
        or claim_idempotency_key(:actor_id, :idempotency_key, :fingerprint, :event_id)
    returning t
)
insert into events (id, type, occurred_at, ticket, project, actor_id, data)
select :event_id, 'ticket.created', (t).created_at, r.number, r.project, :actor_id, to_jsonb(r)
  from inserted cross join lateral ticket_resource(t) r
returning data;

-- name: get_ticket(number, viewer_id, organizations, staffed, everywhere)^
-- returns: Ticket
-- One ticket, if the viewer may see it.
-- nullable: viewer_id, organizations, staffed
select r.*
  from tickets t cross join lateral ticket_resource(t) r
 where t.number = :number and may_see(t, :viewer_id, :organizations, :staffed, :everywhere, array(table public_projects));

-- name: lock_ticket(number, viewer_id, organizations, staffed, everywhere)^
-- returns: Ticket
-- One ticket, if the viewer may see it, locked until the transaction ends.
-- nullable: viewer_id, organizations, staffed
select r.*
  from tickets t cross join lateral ticket_resource(t) r
 where t.number = :number and may_see(t, :viewer_id, :organizations, :staffed, :everywhere, array(table public_projects))
   for no key update of t;

-- name: lock_tickets(numbers, viewer_id, organizations, staffed, everywhere)
-- returns: Ticket
-- Those of these tickets that the viewer may see, locked in the order of their numbers until the transaction ends.
-- nullable: viewer_id, organizations, staffed
select r.*
  from tickets t cross join lateral ticket_resource(t) r
 where t.number = any(:numbers::bigint[])
   and may_see(t, :viewer_id, :organizations, :staffed, :everywhere, array(table public_projects))
 order by t.number
   for no key update of t;

-- name: update_tickets(actor_id, event_ids, edits)
-- returns: WrittenTicket
-- Update locked tickets, and insert an event for each, which holds the Ticket, in the order of their numbers. No row
-- for one of which the category or assignee is unavailable. The assignee stays unless reassigned: who locks a ticket
-- does not see one who was added while it waited for the lock.
with updated as (
    update tickets as t
       set title = e.title, description = e.description, severity = e.severity, category = e.category, tags = e.tags,
           environment = e.environment, priority = e.priority, status = e.status, resolution = e.resolution,
           resolution_note = e.resolution_note,
           assignee_id = case when e.reassigned then e.assignee_id else t.assignee_id end,
           updated_at = clock_timestamp(),
           resolved_at = case when e.status in ('resolved', 'closed') then coalesce(t.resolved_at, clock_timestamp()) end,
           closed_at = case when e.status = 'closed' then coalesce(t.closed_at, clock_timestamp()) end
      from jsonb_to_recordset(:edits) as e (
               number bigint, event_type text, previous jsonb, title text, description text, severity ticket_severity,
               category text, tags text[], environment jsonb, priority ticket_priority, status ticket_status,
               resolution ticket_resolution, resolution_note text, reassigned boolean, assignee_id uuid)
     where t.number = e.number
       and (not e.reassigned or e.assignee_id is null
            or exists (select from staff_of(t.project) s where s.user_id = e.assignee_id and s.active))
       and (e.category is null or e.category is not distinct from t.category
            or exists (select from categories c where c.project = t.project and c.key = e.category and not archived))
    returning t, e.event_type, e.previous
), placed as (
    select *, row_number() over (order by (t).number) as place from updated
)
insert into events (id, type, occurred_at, ticket, project, actor_id, data, previous)
select (:event_ids::uuid[])[p.place], p.event_type, (p.t).updated_at, r.number, r.project, :actor_id, to_jsonb(r),
       p.previous
  from placed p cross join lateral ticket_resource(p.t) r
 order by p.place
returning ticket, data;

-- name: is_staff(user_id, project)$
-- Whether an active user staffs a project.
select exists (select from staff_of(:project) s where s.user_id = :user_id and s.active);

-- name: close_resolved_tickets(event_ids, days)!
-- Close tickets that were resolved so many days ago, the longest resolved first, an event each; no more than there
-- are ids for events. Tickets that somebody works on right now are left for the next time.
with due as materialized (
    select number, row_number() over (order by resolved_at, number) as place
      from (select number, resolved_at
              from tickets
             where status = 'resolved' and resolved_at < now() - make_interval(days => :days::int)
             order by resolved_at, number
             limit cardinality(:event_ids::uuid[])
               for no key update skip locked) locked
), closed as (
    update tickets as t
       set status = 'closed', closed_at = clock_timestamp(), updated_at = clock_timestamp()
      from due
     where t.number = due.number
    returning t, due.place
)
insert into events (id, type, occurred_at, ticket, project, data, previous)
select (:event_ids::uuid[])[c.place], 'ticket.closed', (c.t).closed_at, r.number, r.project, to_jsonb(r),
       '{"status": "resolved", "closed_at": null}'
  from closed c cross join lateral ticket_resource(c.t) r
 order by c.place;

-- name: escalate_tickets(event_ids, hours)!
-- Record `ticket.escalated` for critical tickets, opened so many hours ago, that no agent has answered in public;
-- once a ticket, the longest waiting first, no more than there are ids for events.
with due as materialized (
    select number, row_number() over (order by created_at, number) as place
      from (select number, created_at
              from tickets t
             where severity = 'critical' and status in ('open', 'in_progress')
               and created_at < now() - make_interval(hours => :hours::int)
               and not exists (select from escalations e where e.ticket = t.number)
               and not exists (select
                                 from comments c join staff_of(t.project) s on s.user_id = c.author_id
                                where c.ticket = t.number and c.visibility = 'public' and c.deleted_at is null)
             order by created_at, number
             limit cardinality(:event_ids::uuid[])
               for no key update of t skip locked) locked
), escalated as (
    insert into escalations (ticket, escalated_at) select number, clock_timestamp() from due
    on conflict do nothing
    returning *
)
insert into events (id, type, occurred_at, ticket, project, data)
select (:event_ids::uuid[])[due.place], 'ticket.escalated', e.escalated_at, r.number, r.project, to_jsonb(r)
  from escalated e
  join due on due.number = e.ticket
  join tickets t on t.number = e.ticket
 cross join lateral ticket_resource(t) r
 order by due.place;
