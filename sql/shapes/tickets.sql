-- Tickets: what the contract shows of one, who may see which, and the filters of lists.

-- The contract's Ticket.
create or replace function ticket_resource(t tickets)
returns table (id uuid, number bigint, type ticket_type, project text, title text, description text, status ticket_status,
               resolution ticket_resolution, resolution_note text, priority ticket_priority,
               severity ticket_severity, category text, tags text[], environment jsonb, channel ticket_channel,
               requester jsonb, assignee jsonb, external_reference jsonb,
               created_at text, updated_at text, resolved_at text, closed_at text)
language sql stable rows 1 begin atomic
    select t.id, t.number, t.type, t.project, t.title, t.description, t.status, t.resolution, t.resolution_note,
           t.priority, t.severity, t.category, t.tags, t.environment, t.channel,
           (select user_ref(u) from users u where u.id = t.requester_id),
           (select user_ref(u) from users u where u.id = t.assignee_id),
           case when t.external_source is not null
                then jsonb_build_object('source', t.external_source, 'id', t.external_id) end,
           utc(t.created_at), utc(t.updated_at), utc(t.resolved_at), utc(t.closed_at);
end;

-- How many bytes the long texts of a ticket have, uncompressed.
create or replace function ticket_bytes(t tickets) returns integer language sql stable
return octet_length(t.description) + coalesce(octet_length(t.resolution_note), 0) + plain_size(t.environment);

-- What a viewer may see: their own tickets, or all others, or, if `own` is null, both.
-- The last is for a look at tickets that have been found otherwise. A page is merged from their own and the others, so
-- that an index gives their own in the order of the list, however few or old they are. Their own are sorted by the
-- requester first, and that is compared as a range: so it is no constant to the planner, which then has no other index in
-- this order, and never walks through everybody's tickets. For who staffs everything all are others.
create or replace function visible_tickets(
    own boolean, viewer uuid, organizations text[], staffed text[], everywhere boolean)
returns setof tickets language sql stable as $$
    select t.*
      from tickets t
     where case when own is null
                then may_see(t, viewer, organizations, staffed, everywhere, array(table public_projects))
                when own then not everywhere and t.requester_id between viewer and viewer
                else may_see(t, null, organizations, staffed, everywhere, array(table public_projects))
                     and (everywhere or is_theirs(t, viewer, null) is not true) end;
$$;

-- The filters of GET /tickets on the viewer's own tickets, or on all others that they may see.
-- A filter that is null is none: PostgreSQL inlines the function, and drops it. `words` is a query for the words of the
-- title, which the ticket that is `numbered` so passes as well. `no_category` and `no_assignee` let those without one
-- pass, beside those that the filter names, if any.
create or replace function matching_tickets(
    own boolean, viewer uuid, organizations text[], staffed text[], everywhere boolean,
    project text[], type ticket_type[], status ticket_status[], resolution ticket_resolution[],
    priority ticket_priority[], severity ticket_severity[], channel ticket_channel[],
    category text[], no_category boolean, tags text[], assignee uuid[], no_assignee boolean, requester uuid[],
    created_since timestamptz, created_before timestamptz, updated_since timestamptz, updated_before timestamptz,
    words text, numbered bigint, escalated boolean)
returns setof tickets language sql stable as $$
    select t.*
      from visible_tickets(own, viewer, organizations, staffed, everywhere) t
     -- Nobody reads through a project of which they see nothing but what is their own.
     where (own or everywhere or matching_tickets.organizations is not null
            or matching_tickets.project is null or cardinality(matching_tickets.project) > 1
            or matching_tickets.project[1] = any(matching_tickets.staffed)
            or matching_tickets.project[1] = any(array(table public_projects)))
       -- Of one value an equality, by which an index can both find and sort. Never both forms: the planner would take
       -- them for independent, and expect so few rows that it sorts them all.
       and (matching_tickets.project is null
            or case when cardinality(matching_tickets.project) = 1 then t.project = matching_tickets.project[1]
                    else t.project = any(matching_tickets.project) end)
       and (matching_tickets.type is null or t.type = any(matching_tickets.type))
       -- Neighbouring values as a range, which an index checks by itself, whatever it sorts by.
       and (matching_tickets.status is null
            or case when cardinality(matching_tickets.status) = 1 then t.status = matching_tickets.status[1]
                    when matching_tickets.status <@ '{open,in_progress,pending}'
                         and matching_tickets.status @> '{open,in_progress,pending}' then t.status < 'resolved'
                    when matching_tickets.status <@ '{resolved,closed}'
                         and matching_tickets.status @> '{resolved,closed}' then t.status >= 'resolved'
                    else t.status = any(matching_tickets.status) end)
       and (matching_tickets.resolution is null or t.resolution = any(matching_tickets.resolution))
       and (matching_tickets.priority is null
            or case when cardinality(matching_tickets.priority) = 1 then t.priority = matching_tickets.priority[1]
                    when matching_tickets.priority <@ '{high,urgent}'
                         and matching_tickets.priority @> '{high,urgent}' then t.priority >= 'high'
                    else t.priority = any(matching_tickets.priority) end)
       and (matching_tickets.severity is null or t.severity = any(matching_tickets.severity))
       and (matching_tickets.channel is null or t.channel = any(matching_tickets.channel))
       and (matching_tickets.category is null and not no_category
            or no_category and t.category is null
            or matching_tickets.category is not null
               and case when cardinality(matching_tickets.category) = 1 then t.category = matching_tickets.category[1]
                        else t.category = any(matching_tickets.category) end)
       and (matching_tickets.tags is null or t.tags @> matching_tickets.tags)
       and (matching_tickets.assignee is null and not no_assignee
            or no_assignee and t.assignee_id is null
            or matching_tickets.assignee is not null
               and case when cardinality(matching_tickets.assignee) = 1 then t.assignee_id = matching_tickets.assignee[1]
                        else t.assignee_id = any(matching_tickets.assignee) end)
       -- Whose tickets these are is known where they are the viewer's own; and among all others there are none of theirs.
       and (matching_tickets.requester is null
            or case when own then viewer = any(matching_tickets.requester)
                    when not everywhere and matching_tickets.requester = array[viewer] then false
                    when cardinality(matching_tickets.requester) = 1 then t.requester_id = matching_tickets.requester[1]
                    else t.requester_id = any(matching_tickets.requester) end)
       and (matching_tickets.created_since is null or t.created_at >= matching_tickets.created_since)
       and (matching_tickets.created_before is null or t.created_at < matching_tickets.created_before)
       and (matching_tickets.updated_since is null or t.updated_at >= matching_tickets.updated_since)
       and (matching_tickets.updated_before is null or t.updated_at < matching_tickets.updated_before)
       -- As the index tickets_title has it.
       and (matching_tickets.words is null
            or to_tsvector('simple', translate(t.title, '-_./\:;,|()[]{}<>"''!?#@&+=*%~^$`', '                                '))
               @@ to_tsquery('simple', matching_tickets.words)
            or t.number = matching_tickets.numbered)
       and (matching_tickets.escalated is null
            or matching_tickets.escalated and t.number = any(array(select e.ticket from escalations e))
            or not matching_tickets.escalated and t.number not in (select e.ticket from escalations e));
$$;
