-- Webhooks: what an endpoint is told of, its deliveries, and the jobs that send them.

-- The contract's WebhookEndpoint.
create or replace function webhook_endpoint_resource(w webhook_endpoints)
returns table (id uuid, url text, description text, event_types text[], projects text[], include_internal boolean,
               format webhook_format, status webhook_state, failing_since text, disabled_at text,
               created_at text, updated_at text)
language sql stable rows 1 begin atomic
    select w.id, w.url, w.description, w.event_types, w.projects, w.include_internal, w.format, w.state,
           utc(w.failing_since), utc(w.disabled_at), utc(w.created_at), utc(w.updated_at);
end;

-- Fields of an endpoint for the log, the status also as `state`.
-- By that name the fan-out of the release before finds the end of a pause. A later release takes this function away.
create or replace function with_state(fields jsonb) returns jsonb language sql immutable
return case when fields ? 'status' then fields || jsonb_build_object('state', fields -> 'status') else fields end;

-- Whether an endpoint is told of an event of a declared type.
-- Without `include_internal` it is told of nothing that is for staff alone.
create or replace function webhook_wants(w webhook_endpoints, e events, declared event_types) returns boolean
language sql immutable
return (declared.unfiltered and w.event_types = '{}' or e.type = any(w.event_types))
   and (w.projects = '{}' or e.project = any(w.projects))
   and (w.include_internal or not (declared.internal or event_is_internal(e)));

-- Whether an endpoint is told of an event.
create or replace function webhook_wants(w webhook_endpoints, e events) returns boolean language sql stable
return exists (select from event_types declared where declared.type = e.type and webhook_wants(w, e, declared));

-- Enqueues the job that sends a delivery; at most one.
-- The settings are those of the handler, except that a chat is told one thing after the other, in order.
create or replace function enqueue_delivery(delivery uuid, endpoint uuid, due timestamptz, queue text,
                                            max_attempts integer, group_limit integer)
returns uuid language sql volatile
return enqueue_job('webhooks.deliver', jsonb_build_object('delivery_id', delivery), queue => enqueue_delivery.queue,
                   run_at => due, max_attempts => enqueue_delivery.max_attempts, unique_key => delivery::text,
                   group_name => 'webhook:' || endpoint,
                   group_limit => case when exists (select from webhook_endpoints w
                                                     where w.id = endpoint and w.format <> 'standard')
                                       then 1 else enqueue_delivery.group_limit end,
                   shown => '{delivery_id}');

-- The contract's Delivery.
create or replace function delivery_resource(d deliveries)
returns table (id uuid, endpoint_id uuid, event_id uuid, event_type text, status delivery_status, attempt_count int,
               created_at text, next_attempt_at text, settled_at text)
language sql stable rows 1 begin atomic
    select d.id, d.endpoint_id, d.event_id, d.type, d.status, d.attempt_count,
           utc(d.created_at), utc(d.next_attempt_at), utc(d.settled_at);
end;

-- What an endpoint is sent of a message.
create or replace function message_body(m webhook_messages, w webhook_endpoints) returns text language sql immutable
return case when w.include_internal then coalesce(m.internal_body, m.body) else m.body end;

-- The contract's DeliveryDetail.
create or replace function delivery_detail_resource(d deliveries)
returns table (id uuid, endpoint_id uuid, event_id uuid, event_type text, status delivery_status, attempt_count int,
               created_at text, next_attempt_at text, settled_at text, body text, attempts jsonb)
language sql stable rows 1 begin atomic
    select d.id, d.endpoint_id, d.event_id, d.type, d.status, d.attempt_count,
           utc(d.created_at), utc(d.next_attempt_at), utc(d.settled_at),
           coalesce((select message_body(m, w)
                       from webhook_endpoints w join webhook_messages m on m.format = w.format
                      where w.id = d.endpoint_id and m.event_id = d.event_id), ''),
           (select coalesce(jsonb_agg(jsonb_build_object(
                       'number', a.number, 'started_at', utc(a.started_at), 'milliseconds', a.milliseconds,
                       'response_status', a.status, 'response_body', a.answer, 'error', a.error) order by a.number), '[]')
              from delivery_attempts a where a.delivery_id = d.id);
end;
