-- Events: their types, what is told of one, and to whom.

-- The types of event, with who reads them and what it takes to be told.
-- An event of a type that is not here is shown to nobody, and no webhook endpoint is told of it.
--   readers     ticket: who sees the ticket; project: who sees the project; user: the user and staff; token: its owner,
--               or who is signed in, and admins; view: its owner, or staff if it is shared; admin: admins
--   scope       what a token needs to read it
--   internal    it is always for staff; of other types the event itself says
--   unfiltered  an endpoint that names no types is told of it
create or replace view event_types (type, readers, scope, internal, unfiltered) as
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
       ('session.created',     'token',   'tickets:read', true,  false),
       ('session.ended',       'token',   'tickets:read', true,  false),
       ('invitation.created', 'admin',   'admin',        true,  false),
       ('invitation.resent',  'admin',   'admin',        true,  false),
       ('invitation.accepted','admin',   'admin',        true,  false),
       ('invitation.revoked', 'admin',   'admin',        true,  false),
       ('view.created',        'view',    'tickets:read', true,  false),
       ('view.updated',        'view',    'tickets:read', true,  false),
       ('view.deleted',        'view',    'tickets:read', true,  false),
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
create or replace function event_is_internal(e events) returns boolean language sql immutable
return coalesce(e.internal, e.audience = 'internal');

-- Writes `audience` for processes of the release before `internal`, which go by it when they show a ticket's events.
-- A later release takes the column and this trigger away.
create or replace function note_audience() returns trigger language plpgsql as $$
begin
    new.audience := 'internal';
    return new;
end;
$$;

-- Fields of an event of this type, by the names that they have today; releases before this one stored older names.
create or replace function named_today(type text, fields jsonb) returns jsonb language sql immutable
return case when named_today.type like 'comment.%' and fields ? 'ticket'
            then fields - 'ticket' || jsonb_build_object('ticket_number', fields -> 'ticket')
            when named_today.type like 'webhook.%' and fields ? 'state'
            then fields - 'state' || jsonb_build_object('status', fields -> 'state')
            when named_today.type like 'job.%' and fields ? 'state'
            then fields - '{state,kind}'::text[] || jsonb_build_object('status', fields -> 'state')
                 || case when fields ? 'kind' then jsonb_build_object('type', fields -> 'kind') else '{}' end
            else fields end;

-- The next number in the order of events: the time in microseconds, but always more than the last number.
-- A clock may go back, and two events may fall into one microsecond.
create or replace function next_event_sequence() returns bigint language plpgsql as $$
declare
    next constant bigint := nextval('event_sequence');
    now  constant bigint := extract(epoch from clock_timestamp()) * 1000000;
begin
    return case when now > next then setval('event_sequence', now) else next end;
end;
$$;

-- Fields of an event, of a ticket with its id, which releases before this one did not store.
-- A ticket that is gone has an id that follows from its number.
create or replace function with_ticket_id(type text, ticket bigint, fields jsonb) returns jsonb language sql stable
return case when with_ticket_id.type like 'ticket.%' and fields ->> 'id' is null
            then fields || jsonb_build_object('id', coalesce((select t.id from tickets t where t.number = ticket),
                                                             md5('ticket ' || ticket)::uuid))
            else fields end;

-- The parts of an event: what whoever may read it sees, and what staff see besides.
-- What a project was like while it was private is for staff. The releases before this one have written that into `data`
-- and `previous`.
create or replace function event_parts(e events)
returns table (data jsonb, previous jsonb, staff jsonb, staff_previous jsonb)
language sql stable rows 1 begin atomic
    select case when split.hidden then e.data || (e.previous - 'visibility')
                else with_ticket_id(e.type, e.ticket, named_today(e.type, e.data)) end,
           case when split.hidden or split.shown then jsonb_build_object('visibility', e.previous -> 'visibility')
                else named_today(e.type, e.previous) end,
           case when split.hidden then e.data else e.staff end,
           case when split.hidden or split.shown then e.previous else e.staff_previous end
      from (select e.type = 'project.updated' and e.staff_previous is null
                       and e.previous ->> 'visibility' = 'public' as hidden,
                   e.type = 'project.updated' and e.staff_previous is null
                       and e.previous ->> 'visibility' = 'private' as shown) split;
end;

-- The contract's Event: to staff whole, to others without what is for staff.
-- Events from before `sequence` have their place in the log instead, a smaller number.
create or replace function event_resource(e events, whole boolean)
returns table (id uuid, type text, "timestamp" text, sequence bigint, ticket_number bigint, project text, actor jsonb,
               data jsonb, previous jsonb, tombstone boolean)
language sql stable rows 1 begin atomic
    select e.id, e.type, utc(e.occurred_at), coalesce(e.sequence, e.position), e.ticket, e.project,
           (select user_ref(u) from users u where u.id = e.actor_id),
           case when event_resource.whole then parts.data || coalesce(parts.staff, '{}') else parts.data end,
           case when event_resource.whole then parts.previous || coalesce(parts.staff_previous, '{}')
                else parts.previous end, false
      from event_parts(e) parts;
end;

-- The contract's Event as webhooks send it.
create or replace function event_told(e events, whole boolean) returns jsonb language sql stable
return (select to_jsonb(r) from event_resource(e, event_told.whole) r);

-- How many bytes an event has, uncompressed.
create or replace function event_bytes(e events) returns integer language sql stable
return plain_size(e.data) + plain_size(e.previous)
       + coalesce(plain_size(e.staff), 0) + coalesce(plain_size(e.staff_previous), 0);

-- Who may read an event of a type with these `readers`, by name, and who has to be told that it took something from them.
-- It is the inverse of may_see: `everyone`; a requester's id; `organization:<key>`, who sees its tickets;
-- `project:<key>`, who staffs that project; `staff` of all projects; `agent`, staff of any; `user:<id>`, whoever the
-- event is about; `admin`, whose token has that scope. Null is nobody. tests/api/test_event_types.py holds it to the
-- predicate.
create or replace function event_readers(e events, readers text) returns table (seen_by text[], missed_by text[])
language sql stable rows 1 begin atomic
    select case event_readers.readers
               when 'ticket' then
                   array['staff', 'project:' || coalesce(t.project, e.project)]
                   || case when not event_is_internal(e) then
                          array[t.requester_id::text, 'organization:' || t.organization,
                                case when t.visibility = 'public' and t.project = any(array(table public_projects))
                                     then 'everyone' end]
                      end
               when 'project' then
                   array['staff', 'project:' || e.project]
                   -- Others see what a project is like while it is public, not what it was like before.
                   || case when not event_is_internal(e) and coalesce(e.data ->> 'visibility', 'public') = 'public'
                                and e.project = any(array(table public_projects))
                           then array['everyone'] end
               when 'user' then array['agent', 'user:' || (e.data ->> 'id')]
               when 'token' then
                   array['admin', 'user:' || coalesce(e.data ->> 'user_id', (
                       select k.user_id from tokens k where k.id = (e.data ->> 'id')::uuid)::text)]
               when 'view' then
                   case when e.data ->> 'visibility' = 'shared' then array['agent']
                        else array['user:' || (e.data #>> '{owner,id}')] end
               when 'admin' then array['admin']
               else '{}'
           end,
           case
               when event_readers.readers = 'view' and e.previous ->> 'visibility' = 'shared' then array['agent']
               when e.previous = '{}' or event_is_internal(e) then '{}'
               when event_readers.readers = 'ticket' then
                   array[e.previous #>> '{requester,id}', 'organization:' || (e.previous ->> 'organization'),
                         'project:' || (e.previous ->> 'project'),
                         case when e.previous ->> 'visibility' = 'public' then 'everyone' end]
               when event_readers.readers = 'project' and e.previous ->> 'visibility' = 'public' then array['everyone']
               else '{}'
           end
      from (select) as one left join tickets t on t.number = e.ticket;
end;
