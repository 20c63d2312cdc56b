-- Webhooks: endpoints that are told of events, their secrets, and the deliveries made for them.

-- Endpoints ----------------------------------------------------------------------------------------------------------

-- name: insert_webhook_endpoint(event_id, idempotency_key, fingerprint, actor_id, endpoint_id, url, description, event_types, projects, include_internal, format, key_id, sealed)^
-- returns: WebhookEndpoint
-- Add an endpoint with its first secret. Empty: the key is taken.
-- nullable: fingerprint
with inserted as (
    insert into webhook_endpoints as w (id, url, description, event_types, projects, include_internal, format)
    select :endpoint_id, :url, :description, :event_types::text[], :projects::text[], :include_internal,
           :format::webhook_format
     where :idempotency_key::text is null
        or claim_idempotency_key(:actor_id, :idempotency_key, :fingerprint, :event_id)
    returning w
), secret as (
    insert into webhook_secrets (id, endpoint_id, key_id, sealed)
    select :event_id, (i.w).id, :key_id, :sealed from inserted i
), resource as materialized (
    select r.* from inserted i cross join lateral webhook_endpoint_resource(i.w) r
), event as (
    insert into events (id, type, actor_id, audience, data)
    select :event_id, 'webhook.created', :actor_id, 'internal', to_jsonb(resource) from resource
)
select * from resource;

-- name: list_webhook_endpoints(state, after, page_size)
-- returns: WebhookEndpoint
-- A page of the endpoints, oldest first, from after a given one on.
select r.*
  from webhook_endpoints w cross join lateral webhook_endpoint_resource(w) r
 where (:state::webhook_state is null or w.state = :state::webhook_state) and (:after::uuid is null or w.id > :after::uuid)
 order by w.id
 limit :page_size;

-- name: get_webhook_endpoint(endpoint_id)^
-- returns: WebhookEndpoint
-- One endpoint.
select r.* from webhook_endpoints w cross join lateral webhook_endpoint_resource(w) r where w.id = :endpoint_id;

-- name: take_webhook_endpoint(endpoint_id)^
-- returns: WebhookEndpoint
-- One endpoint, locked until the transaction ends.
select r.*
  from webhook_endpoints w cross join lateral webhook_endpoint_resource(w) r
 where w.id = :endpoint_id
   for update of w;

-- name: update_webhook_endpoint(event_id, actor_id, endpoint_id, url, description, event_types, projects, include_internal, state, previous)^
-- returns: WebhookEndpoint
-- Write the fields of an endpoint that take_webhook_endpoint has locked. One that was disabled starts with a clean slate.
with updated as (
    update webhook_endpoints as w
       set url = :url, description = :description, event_types = :event_types::text[], projects = :projects::text[],
           include_internal = :include_internal, state = :state::webhook_state,
           failing_since = case when w.state = 'disabled' and :state::webhook_state <> 'disabled' then null
                                else w.failing_since end,
           warned_at = case when w.state = 'disabled' and :state::webhook_state <> 'disabled' then null
                            else w.warned_at end,
           disabled_at = case when :state::webhook_state = 'disabled'
                              then coalesce(w.disabled_at, clock_timestamp()) end,
           updated_at = clock_timestamp()
     where id = :endpoint_id
    returning w
), resource as materialized (
    select r.* from updated cross join lateral webhook_endpoint_resource(updated.w) r
), event as (
    insert into events (id, type, actor_id, audience, data, previous)
    select :event_id, 'webhook.updated', :actor_id, 'internal', to_jsonb(resource), :previous from resource
)
select * from resource;

-- name: delete_webhook_endpoint(event_id, actor_id, endpoint_id)^
-- returns: WebhookEndpoint
-- Remove an endpoint and its secrets. Its deliveries are not shown any more, and go with the retention.
with deleted as (
    delete from webhook_endpoints as w where id = :endpoint_id returning w
), resource as materialized (
    select r.* from deleted cross join lateral webhook_endpoint_resource(deleted.w) r
), event as (
    insert into events (id, type, actor_id, audience, data)
    select :event_id, 'webhook.deleted', :actor_id, 'internal', to_jsonb(resource) from resource
)
select * from resource;

-- name: list_unknown_projects(keys)
-- returns: UnknownProject
-- Those of these keys that are no project's, and where they stand among them, from 0.
select given.key, given.place - 1 as place
  from unnest(:keys::text[]) with ordinality as given (key, place)
 where not exists (select from projects p where p.key = given.key)
 order by given.place;

-- Secrets ------------------------------------------------------------------------------------------------------------

-- name: rotate_webhook_secret(event_id, idempotency_key, fingerprint, actor_id, endpoint_id, key_id, sealed, overlap_seconds)^
-- returns: WebhookEndpoint
-- Give an endpoint another secret; the present one expires after the overlap. Empty: no such endpoint, or the key is taken.
-- nullable: fingerprint
with endpoint as materialized (
    select w
      from webhook_endpoints w
     where w.id = :endpoint_id
       and (:idempotency_key::text is null
            or claim_idempotency_key(:actor_id, :idempotency_key, :fingerprint, :event_id))
), replaced as (
    update webhook_secrets s set expires_at = now() + make_interval(secs => :overlap_seconds::float8)
      from endpoint e
     where s.endpoint_id = (e.w).id and s.expires_at is null
    returning s.endpoint_id
), removed as (
    delete from webhook_secrets s using endpoint e where s.endpoint_id = (e.w).id and s.expires_at < now()
), secret as (
    -- Only once the present one has an end: an index allows for one without.
    insert into webhook_secrets (id, endpoint_id, key_id, sealed)
    select :event_id, r.endpoint_id, :key_id, :sealed from replaced r
), resource as materialized (
    select r.* from endpoint e cross join lateral webhook_endpoint_resource(e.w) r
), event as (
    insert into events (id, type, actor_id, audience, data)
    select :event_id, 'webhook.rotated', :actor_id, 'internal', to_jsonb(resource) from resource
)
select * from resource;

-- name: list_webhook_secrets(endpoint_id)
-- returns: WebhookSecret
-- The secrets of an endpoint that hold now, the newest first.
select s.id, s.endpoint_id, s.key_id, s.sealed
  from webhook_secrets s
 where s.endpoint_id = :endpoint_id and (s.expires_at is null or s.expires_at > now())
 order by s.id desc;

-- name: get_webhook_secret(secret_id)^
-- returns: WebhookSecret
-- The secret that an event made.
select s.id, s.endpoint_id, s.key_id, s.sealed from webhook_secrets s where s.id = :secret_id;

-- What admins ask for. It is an event; fan_out does the rest --------------------------------------------------------

-- name: insert_webhook_ping(event_id, idempotency_key, fingerprint, actor_id, endpoint_id)^
-- returns: Event
-- Record a ping of an endpoint. Empty: no such endpoint, it is disabled, or the key is taken.
-- nullable: fingerprint
with endpoint as materialized (
    select w
      from webhook_endpoints w
     where w.id = :endpoint_id and w.state <> 'disabled'
       and (:idempotency_key::text is null
            or claim_idempotency_key(:actor_id, :idempotency_key, :fingerprint, :event_id))
), event as (
    insert into events as e (id, type, actor_id, audience, data)
    select :event_id, 'webhook.pinged', :actor_id, 'internal', to_jsonb(r)
      from endpoint cross join lateral webhook_endpoint_resource(endpoint.w) r
    returning e
)
select r.* from event cross join lateral event_resource(event.e) r;

-- name: get_webhook_event(event_id)^
-- returns: Event
-- An event about a webhook, as it was recorded.
select r.* from events e cross join lateral event_resource(e) r where e.id = :event_id and e.type like 'webhook.%';

-- name: insert_webhook_redelivery(event_id, idempotency_key, fingerprint, actor_id, endpoint_id, delivery_id, failed_since, events_since, events_after)^
-- returns: WebhookRedelivery
-- Record that deliveries are to be sent again. Empty: no such endpoint or delivery, it is disabled, or the key is taken.
-- nullable: fingerprint, delivery_id, failed_since, events_since, events_after
with resource as materialized (
    select :event_id::uuid as id, w.id as endpoint_id, :delivery_id::uuid as delivery_id,
           utc(:failed_since::timestamptz) as failed_since, utc(:events_since::timestamptz) as events_since,
           :events_after::uuid as events_after, utc(now()) as requested_at
      from webhook_endpoints w
     where w.id = :endpoint_id and w.state <> 'disabled'
       and (:delivery_id::uuid is null
            or exists (select from deliveries d where d.id = :delivery_id and d.endpoint_id = w.id))
       and (:idempotency_key::text is null
            or claim_idempotency_key(:actor_id, :idempotency_key, :fingerprint, :event_id))
), event as (
    insert into events (id, type, actor_id, audience, data)
    select :event_id, 'webhook.redelivered', :actor_id, 'internal', to_jsonb(resource) from resource
)
select * from resource;

-- Deliveries ---------------------------------------------------------------------------------------------------------

-- name: list_deliveries(endpoint_id, status, type, event_id, before, page_size)
-- returns: Delivery
-- A page of deliveries, the newest first, from before a given one on.
select r.*
  from deliveries d cross join lateral delivery_resource(d) r
 where (:endpoint_id::uuid is null or d.endpoint_id = :endpoint_id::uuid)
   and (:status::delivery_status is null or d.status = :status::delivery_status)
   and (:type::text is null or d.type = :type::text)
   and (:event_id::uuid is null or d.event_id = :event_id::uuid)
   and (:before::uuid is null or d.id < :before::uuid)
   and exists (select from webhook_endpoints w where w.id = d.endpoint_id)
 order by d.id desc
 limit :page_size;

-- name: get_delivery(delivery_id)^
-- returns: DeliveryDetail
-- One delivery with its body and attempts.
select r.*
  from deliveries d cross join lateral delivery_detail_resource(d) r
 where d.id = :delivery_id and exists (select from webhook_endpoints w where w.id = d.endpoint_id);
