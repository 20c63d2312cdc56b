-- transaction: own
-- From here on, migrations make no functions and views: their one definition is in sql/shapes, and `ticketing migrate`
-- installs it. Those that migrations have made are noted, so that what is no longer there is dropped in the end.

insert into schema_shapes (digest, shapes)
select '0001 to 0014', jsonb_object_agg('function ' || p.oid::regprocedure, '')
  from pg_proc p
 where p.pronamespace = current_schema()::regnamespace
   and p.proname in (
       'category_resource', 'claim_idempotency_key', 'claim_jobs', 'comment_resource', 'delivery_detail_resource',
       'delivery_resource', 'due_jobs', 'enqueue_delivery', 'enqueue_job', 'event_log_is_ahead', 'event_readers',
       'event_resource', 'event_told', 'events_after', 'job_resource', 'keep_an_admin', 'log_end', 'log_id',
       'log_page', 'matching_tickets', 'mend_event_log', 'most_bytes_told', 'new_job_id', 'plain_size',
       'project_resource', 'queue_resource', 'ticket_resource', 'token_resource', 'user_ref', 'user_resource', 'utc',
       'visible_tickets', 'waiting_jobs', 'webhook_endpoint_resource', 'webhook_wants', 'with_error');

-- A function that gives rows of a table as a whole has its body in quotes: PostgreSQL would otherwise keep the columns
-- that the table has today, and refuse to run it once there is another. It has to be so before a migration adds one,
-- which is why this one has a transaction of its own.

create or replace function visible_tickets(viewer uuid, staff boolean) returns setof tickets language sql stable as $$
    select * from tickets t where visible_tickets.staff or t.requester_id = visible_tickets.viewer;
$$;

create or replace function matching_tickets(
    viewer uuid, staff boolean, project text[], type ticket_type[], status ticket_status[],
    priority ticket_priority[], severity ticket_severity[], category text[], tags text[],
    assignee uuid, unassigned boolean, requester uuid,
    created_after timestamptz, created_before timestamptz, updated_after timestamptz, updated_before timestamptz)
returns setof tickets language sql stable as $$
    select t.*
      from visible_tickets(matching_tickets.viewer, matching_tickets.staff) t
     where (matching_tickets.project is null or t.project = any(matching_tickets.project))
       -- The same again as an equality, which an index can both find and sort by.
       and (cardinality(matching_tickets.project) is distinct from 1 or t.project = matching_tickets.project[1])
       and (matching_tickets.type is null or t.type = any(matching_tickets.type))
       and (matching_tickets.status is null or t.status = any(matching_tickets.status))
       and (cardinality(matching_tickets.status) is distinct from 1 or t.status = matching_tickets.status[1])
       and (matching_tickets.priority is null or t.priority = any(matching_tickets.priority))
       and (matching_tickets.severity is null or t.severity = any(matching_tickets.severity))
       and (matching_tickets.category is null or t.category = any(matching_tickets.category))
       and (matching_tickets.tags is null or t.tags @> matching_tickets.tags)
       and (matching_tickets.assignee is null or t.assignee_id = matching_tickets.assignee)
       and (not matching_tickets.unassigned or t.assignee_id is null)
       and (matching_tickets.requester is null or t.requester_id = matching_tickets.requester)
       and (matching_tickets.created_after is null or t.created_at >= matching_tickets.created_after)
       and (matching_tickets.created_before is null or t.created_at < matching_tickets.created_before)
       and (matching_tickets.updated_after is null or t.updated_at >= matching_tickets.updated_after)
       and (matching_tickets.updated_before is null or t.updated_at < matching_tickets.updated_before);
$$;

create or replace function events_after(after_transaction xid8, after_position bigint)
returns setof events language sql stable as $$
    select *
      from events e
     where (e.transaction_id, e.position) > (after_transaction, after_position)
       and e.transaction_id < log_end();
$$;

-- In quotes, too, until the type of its column has changed.
create or replace function token_resource(t tokens)
returns table (id uuid, name text, prefix text, scopes text[], created_by_token uuid, created_at text, expires_at text,
               last_used_at text, revoked_at text)
language sql stable rows 1 as $$
    select t.id, t.name, t.prefix, t.scopes::text[], t.created_by_token, utc(t.created_at), utc(t.expires_at),
           utc(t.last_used_at), utc(t.revoked_at);
$$;
