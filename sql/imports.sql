-- Imports: people, tickets, comments and events that happened elsewhere or earlier, many at once. Every moment is
-- given, nothing is now. `:rows` is a JSON array of objects; the order of the array is the order of the numbers.

-- name: lock_source(source)$
-- Let one import at a time write people and issues of a source, until the transaction ends.
select pg_advisory_xact_lock(hashtextextended(:source, 0));

-- name: insert_users(rows)!
-- Add people and their `user.created`, except those whose e-mail address or external id is known.
-- Rows: {id, event_id, name, email?, role, service_account, external_source?, external_id?, created_at}
with given as (
    select *
      from jsonb_to_recordset(:rows) as r (id uuid, event_id uuid, name text, email text, role user_role,
                                           service_account boolean, external_source text, external_id text,
                                           created_at timestamptz)
), inserted as (
    insert into users as u (id, name, email, role, service_account, external_source, external_id, created_at,
                            updated_at)
    select id, name, email, role, service_account, external_source, external_id, created_at, created_at from given
        on conflict do nothing
    returning u
)
insert into events (id, type, occurred_at, audience, data)
select g.event_id, 'user.created', (i.u).created_at, 'internal', to_jsonb(r)
  from inserted i
  join given g on g.id = (i.u).id
 cross join lateral user_resource(i.u) r
 order by g.created_at, g.event_id;

-- name: list_imported_users(source, external_ids)
-- returns: ImportedUser
-- The people of a source who are known.
select external_id, id from users where external_source = :source and external_id = any(:external_ids);

-- name: insert_tickets(rows)
-- returns: InsertedTicket
-- Add tickets as they are now; answers in the order of the rows.
-- Rows: {type, project, category?, title, description, status, resolution, resolution_note?, priority, severity,
--        tags: [], environment: {}, channel, requester_id, assignee_id?, external_source?, external_id?, created_at,
--        updated_at, resolved_at?, closed_at?}
with inserted as (
    insert into tickets (type, project, category, title, description, status, resolution, resolution_note, priority,
                         severity, tags, environment, channel, requester_id, assignee_id, external_source, external_id,
                         created_at, updated_at, resolved_at, closed_at)
    select (t).type, (t).project, (t).category, (t).title, (t).description, (t).status, (t).resolution,
           (t).resolution_note, (t).priority, (t).severity, (t).tags, (t).environment, (t).channel, (t).requester_id,
           (t).assignee_id, (t).external_source, (t).external_id, (t).created_at, (t).updated_at, (t).resolved_at,
           (t).closed_at
      from jsonb_array_elements(:rows) with ordinality as r (object, place)
     cross join lateral jsonb_populate_record(null::tickets, r.object) t
     order by place
    returning number
)
select number from inserted order by number;

-- name: list_imported_tickets(source, external_ids)
-- returns: ImportedTicket
-- The tickets of a source that are known, with what decides whether they are out of date.
select t.external_id, t.number, t.project, t.status, t.resolution, t.resolution_note, r.resolved_at, r.closed_at,
       array(select c.external_id from comments c where c.ticket = t.number and c.external_id is not null) as comments,
       (select max(e.occurred_at) from events e where e.ticket = t.number and e.type = 'ticket.reopened')
           as reopened_at,
       -- Closed by the source itself, and not by somebody here.
       coalesce((select e.actor_id is null from events e
                  where e.ticket = t.number and e.type = 'ticket.closed' order by e.position desc limit 1), false)
           as closed_there
  from tickets t cross join lateral ticket_resource(t) r
 where t.external_source = :source and t.external_id = any(:external_ids);

-- name: update_tickets(rows)!
-- Give tickets their status anew, except those that somebody has moved from `status_before` meanwhile.
-- Rows: {number, status_before, status, resolution, resolution_note?, resolved_at?, closed_at?, updated_at}
update tickets t
   set status = r.status, resolution = r.resolution, resolution_note = r.resolution_note,
       resolved_at = r.resolved_at, closed_at = r.closed_at, updated_at = greatest(t.updated_at, r.updated_at)
  from jsonb_to_recordset(:rows) as r (number bigint, status_before ticket_status, status ticket_status,
                                       resolution ticket_resolution, resolution_note text, resolved_at timestamptz,
                                       closed_at timestamptz, updated_at timestamptz)
 where t.number = r.number and t.status = r.status_before;

-- name: insert_comments(rows)!
-- Add comments. The tickets' updated_at stays as it is.
-- Rows: {id, ticket, author_id, body?, visibility, external_id?, created_at, updated_at, deleted_at?}
insert into comments (id, ticket, author_id, body, visibility, external_id, created_at, updated_at, deleted_at)
select id, ticket, author_id, body, visibility, external_id, created_at, updated_at, deleted_at
  from jsonb_populate_recordset(null::comments, :rows);

-- name: insert_events(rows)!
-- Record what happened to tickets and comments. Their data is the resource as it is now, but for the columns in `was`.
-- Rows: {id, type, occurred_at, actor_id?, ticket, comment?, was: {column: value}, previous: {property: value}}
-- Without `comment` it is an event of the ticket.
insert into events (id, type, occurred_at, ticket, project, actor_id, audience, data, previous)
select r.id, r.type, r.occurred_at, t.number, t.project, r.actor_id, coalesce(c.visibility, 'public'),
       coalesce(of_comment.data, of_ticket.data), r.previous
  from jsonb_to_recordset(:rows) as r (id uuid, type text, occurred_at timestamptz, actor_id uuid, ticket bigint,
                                       comment uuid, was jsonb, previous jsonb)
  join tickets t on t.number = r.ticket
  left join comments c on c.id = r.comment
  left join lateral (
      select to_jsonb(resource) as data from comment_resource(jsonb_populate_record(c, r.was)) resource
  ) of_comment on r.comment is not null
  left join lateral (
      select to_jsonb(resource) as data from ticket_resource(jsonb_populate_record(t, r.was)) resource
  ) of_ticket on r.comment is null
 order by r.occurred_at, r.id;
