-- Each type of event is declared once: who reads it, and what a token and a webhook endpoint need to be told of it.

-- Whether only staff may see this event, of a type that others may see as well. Null: as `audience` says, which the
-- release before this one writes.
alter table events add column internal boolean;

-- As before, with the new column.
create or replace function events_after(after_transaction xid8, after_position bigint)
returns setof events language sql stable begin atomic
    select *
      from events e
     where (e.transaction_id, e.position) > (after_transaction, after_position)
       and e.transaction_id < log_end();
end;

-- A process of the release before this one goes by `audience` when it shows a ticket's events. A migration of a later
-- release takes the column and this trigger away.
create function note_audience() returns trigger language plpgsql as $$
begin
    new.audience := 'internal';
    return new;
end;
$$;
create trigger note_audience before insert on events for each row when (new.internal) execute function note_audience();

-- The types of event. An event of a type that is not here is shown to nobody, and no webhook endpoint is told of it.
--   readers     ticket: who sees the ticket; project: who sees the project; user: the user and staff; token: its owner
--               and admins; admin: admins
--   scope       what a token needs to read it
--   internal    it is always for staff; of other types the event itself says
--   unfiltered  an endpoint that names no types is told of it
create view event_types (type, readers, scope, internal, unfiltered) as
values ('ticket.created',      'ticket',  'tickets:read', false, true),
       ('ticket.updated',      'ticket',  'tickets:read', false, true),
       ('ticket.resolved',     'ticket',  'tickets:read', false, true),
       ('ticket.reopened',     'ticket',  'tickets:read', false, true),
       ('ticket.closed',       'ticket',  'tickets:read', false, true),
       ('ticket.escalated',    'ticket',  'tickets:read', false, true),
       ('ticket.deleted',      'ticket',  'tickets:read', false, true),
       ('comment.created',     'ticket',  'tickets:read', false, true),
       ('comment.updated',     'ticket',  'tickets:read', false, true),
       ('comment.deleted',     'ticket',  'tickets:read', false, true),
       ('user.created',        'user',    'tickets:read', true,  true),
       ('user.updated',        'user',    'tickets:read', true,  true),
       ('project.created',     'project', 'tickets:read', false, true),
       ('project.updated',     'project', 'tickets:read', false, true),
       ('category.created',    'project', 'tickets:read', false, true),
       ('category.updated',    'project', 'tickets:read', false, true),
       ('token.created',       'token',   'tickets:read', true,  false),
       ('token.revoked',       'token',   'tickets:read', true,  false),
       ('webhook.created',     'admin',   'admin',        true,  false),
       ('webhook.updated',     'admin',   'admin',        true,  false),
       ('webhook.deleted',     'admin',   'admin',        true,  false),
       ('webhook.rotated',     'admin',   'admin',        true,  false),
       ('webhook.pinged',      'admin',   'admin',        true,  false),
       ('webhook.redelivered', 'admin',   'admin',        true,  false),
       ('webhook.failing',     'admin',   'admin',        true,  false),
       ('webhook.disabled',    'admin',   'admin',        true,  false),
       ('job.retried',         'admin',   'admin',        true,  false),
       ('job.cancelled',       'admin',   'admin',        true,  false),
       ('queue.paused',        'admin',   'admin',        true,  false),
       ('queue.resumed',       'admin',   'admin',        true,  false);

-- Whether an event of a ticket or a project is for staff alone.
create function event_is_internal(e events) returns boolean language sql immutable
return coalesce(e.internal, e.audience = 'internal');

-- Who may read an event: a user's id, `everyone`, `staff` or `admin` (whose token has that scope, too). And who has to
-- be told that what it is about is gone for them, as it was this event that took it from them.
-- This is visible_tickets the other way round; tests/api/test_feed.py holds the two together.
-- `requester` is what the release before this one calls everyone.
create or replace function event_readers(e events) returns table (seen_by text[], missed_by text[])
language sql stable rows 1 begin atomic
    select case declared.readers
               when 'ticket' then
                   case when event_is_internal(e) then array['staff']
                        else array(select t.requester_id::text from tickets t where t.number = e.ticket)
                             || array['staff'] end
               when 'project' then
                   -- Others see what a project is like while it is public, not what it was like before.
                   case when not event_is_internal(e) and coalesce(e.data ->> 'visibility', 'public') = 'public'
                             and exists (select from projects p where p.key = e.project and p.visibility = 'public')
                        then array['everyone', 'requester', 'staff'] else array['staff'] end
               when 'user' then array[e.data ->> 'id', 'staff']
               when 'token' then
                   array(select t.user_id::text from tokens t where t.id = (e.data ->> 'id')::uuid) || array['admin']
               when 'admin' then array['admin']
               else '{}'
           end,
           case
               when event_is_internal(e) then '{}'
               when declared.readers = 'ticket' and e.previous ? 'requester' then array[e.previous #>> '{requester,id}']
               when declared.readers = 'project' and e.previous ->> 'visibility' = 'public'
                   then array['everyone', 'requester']
               else '{}'
           end
      from (select) as one left join event_types declared on declared.type = e.type;
end;

-- Whether an endpoint is told of an event of a declared type. Without `include_internal` it is told of nothing that is
-- for staff alone.
create function webhook_wants(w webhook_endpoints, e events, declared event_types) returns boolean
language sql immutable
return (declared.unfiltered and w.event_types = '{}' or e.type = any(w.event_types))
   and (w.projects = '{}' or e.project = any(w.projects))
   and (w.include_internal or not (declared.internal or event_is_internal(e)));

create or replace function webhook_wants(w webhook_endpoints, e events) returns boolean language sql stable
return exists (select from event_types declared where declared.type = e.type and webhook_wants(w, e, declared));

-- An endpoint that names nothing but what is for staff alone was told of it without `include_internal`, and still is.
with chosen as (
    select w.id from webhook_endpoints w
     where not w.include_internal and w.event_types <> '{}'
       and w.event_types <@ array(select declared.type from event_types declared where declared.internal)
       for update
), updated as (
    update webhook_endpoints as w set include_internal = true, updated_at = now()
      from chosen where w.id = chosen.id
    returning w
)
insert into events (id, type, data, previous)
select new_job_id(), 'webhook.updated', to_jsonb(r), '{"include_internal": false}'
  from updated cross join lateral webhook_endpoint_resource(updated.w) r;
