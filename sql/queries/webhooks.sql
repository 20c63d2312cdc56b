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
    insert into events (id, type, actor_id, data)
    select :event_id, 'webhook.created', :actor_id, to_jsonb(resource) from resource
)
select * from resource;

-- name: list_webhook_endpoints(status, after, page_size)
-- returns: WebhookEndpoint
-- A page of the endpoints, oldest first, from after a given one on.
select r.*
  from webhook_endpoints w cross join lateral webhook_endpoint_resource(w) r
 where (:status::webhook_state[] is null or w.state = any(:status::webhook_state[])) and (:after::uuid is null or w.id > :after::uuid)
 order by w.id
 limit :page_size;

-- name: get_webhook_endpoint(endpoint_id)^
-- returns: WebhookEndpoint
-- One endpoint.
select r.* from webhook_endpoints w cross join lateral webhook_endpoint_resource(w) r where w.id = :endpoint_id;

-- name: lock_webhook_endpoint(endpoint_id)^
-- returns: WebhookEndpoint
-- One endpoint, locked until the transaction ends.
select r.*
  from webhook_endpoints w cross join lateral webhook_endpoint_resource(w) r
 where w.id = :endpoint_id
   for update of w;

-- name: update_webhook_endpoint(event_id, actor_id, endpoint_id, url, description, event_types, projects, include_internal, status, previous)^
-- returns: WebhookEndpoint
-- Write the fields of an endpoint that lock_webhook_endpoint has locked. One that was disabled or
-- paused starts with a clean slate: meanwhile it was sent nothing that could fail.
with updated as (
    update webhook_endpoints as w
       set url = :url, description = :description, event_types = :event_types::text[], projects = :projects::text[],
           include_internal = :include_internal, state = :status::webhook_state,
           failing_since = case when w.state = 'active' or w.state = :status::webhook_state then w.failing_since end,
           warned_at = case when w.state = 'active' or w.state = :status::webhook_state then w.warned_at end,
           disabled_at = case when :status::webhook_state = 'disabled'
                              then coalesce(w.disabled_at, clock_timestamp()) end,
           updated_at = clock_timestamp()
     where id = :endpoint_id
    returning w
), resource as materialized (
    select r.* from updated cross join lateral webhook_endpoint_resource(updated.w) r
), event as (
    insert into events (id, type, actor_id, data, previous)
    select :event_id, 'webhook.updated', :actor_id, with_state(to_jsonb(resource)), with_state(:previous) from resource
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
    insert into events (id, type, actor_id, data)
    select :event_id, 'webhook.deleted', :actor_id, to_jsonb(resource) from resource
)
select * from resource;

-- Secrets ------------------------------------------------------------------------------------------------------------

-- name: replace_webhook_secret(secret_id, endpoint_id, key_id, sealed, overlap_seconds, most)$
-- Give an endpoint that lock_webhook_endpoint has locked another secret; the present one expires after the overlap.
-- Empty: as many secrets hold as may.
with endpoint as materialized (
    select w.id from webhook_endpoints w
     where w.id = :endpoint_id
       and (select count(*) from webhook_secrets s
             where s.endpoint_id = w.id and (s.expires_at is null or s.expires_at > now())) < :most
), replaced as (
    update webhook_secrets s set expires_at = now() + make_interval(secs => :overlap_seconds::float8)
      from endpoint e
     where s.endpoint_id = e.id and s.expires_at is null
    returning s.endpoint_id
), removed as (
    delete from webhook_secrets s using endpoint e where s.endpoint_id = e.id and s.expires_at < now()
)
-- Only once the present one has an end: an index allows for one without.
insert into webhook_secrets (id, endpoint_id, key_id, sealed)
select :secret_id, r.endpoint_id, :key_id, :sealed from replaced r
returning true;

-- name: get_webhook_secret(secret_id)^
-- returns: WebhookSecret
-- The secret that an event made.
select s.id, s.endpoint_id, s.key_id, s.sealed from webhook_secrets s where s.id = :secret_id;

-- What admins ask for. It is an event; fan_out does the rest --------------------------------------------------------

-- name: insert_webhook_ping(event_id, idempotency_key, fingerprint, actor_id, endpoint_id)^
-- returns: WebhookEvent
-- Record a ping of an endpoint. Empty: no such endpoint, it is disabled, or the key is taken.
-- nullable: fingerprint
with endpoint as materialized (
    select w from webhook_endpoints w where w.id = :endpoint_id and w.state <> 'disabled'
), claimed as materialized (
    select * from endpoint
     where :idempotency_key::text is null
        or claim_idempotency_key(:actor_id, :idempotency_key, :fingerprint, :event_id)
), event as (
    insert into events as e (id, type, actor_id, data)
    select :event_id, 'webhook.pinged', :actor_id, to_jsonb(r)
      from claimed cross join lateral webhook_endpoint_resource(claimed.w) r
    returning e
)
select r.* from event cross join lateral event_resource(event.e, true) r;

-- name: get_webhook_ping(event_id)^
-- returns: WebhookEvent
-- A ping, as it was recorded.
select r.*
  from events e cross join lateral event_resource(e, true) r
 where e.id = :event_id and e.type = 'webhook.pinged';

-- name: get_webhook_redelivery(event_id)$
-- What an admin asked to be sent again: a WebhookRedelivery.
select e.data from events e where e.id = :event_id and e.type = 'webhook.redelivered';

-- name: insert_webhook_redelivery(event_id, idempotency_key, fingerprint, actor_id, endpoint_id, delivery_id, failed_since, events_since, events_after)^
-- returns: WebhookRedelivery
-- Record that deliveries are to be sent again. Empty: no such endpoint, delivery or event, it is disabled, or the key is taken.
-- nullable: fingerprint, delivery_id, failed_since, events_since, events_after
with possible as materialized (
    select :event_id::uuid as id, w.id as endpoint_id, :delivery_id::uuid as delivery_id,
           utc(:failed_since::timestamptz) as failed_since, utc(:events_since::timestamptz) as events_since,
           :events_after::uuid as events_after, utc(now()) as requested_at
      from webhook_endpoints w
     where w.id = :endpoint_id and w.state <> 'disabled'
       and (:delivery_id::uuid is null
            or exists (select from deliveries d where d.id = :delivery_id and d.endpoint_id = w.id))
       and (:events_after::uuid is null or exists (select from events e where e.id = :events_after))
), resource as materialized (
    select * from possible
     where :idempotency_key::text is null
        or claim_idempotency_key(:actor_id, :idempotency_key, :fingerprint, :event_id)
), event as (
    insert into events (id, type, actor_id, data)
    select :event_id, 'webhook.redelivered', :actor_id, to_jsonb(resource) from resource
)
select * from resource;

-- Deliveries ---------------------------------------------------------------------------------------------------------

-- name: list_deliveries(endpoint_ids, status, event_type, event_ids, before, page_size)
-- returns: Delivery
-- A page of deliveries, the newest first, from before a given one on. Of one endpoint it is an equality, by which an
-- index can both find and sort.
select r.*
  from deliveries d cross join lateral delivery_resource(d) r
 where (:endpoint_ids::uuid[] is null
        or case when cardinality(:endpoint_ids::uuid[]) = 1 then d.endpoint_id = (:endpoint_ids::uuid[])[1]
                else d.endpoint_id = any(:endpoint_ids::uuid[]) end)
   and (:status::delivery_status[] is null or d.status = any(:status::delivery_status[]))
   and (:event_type::text[] is null or d.type = any(:event_type::text[]))
   and (:event_ids::uuid[] is null or d.event_id = any(:event_ids::uuid[]))
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

-- From the log to deliveries -----------------------------------------------------------------------------------------

-- name: has_events_to_fan_out()$
-- Whether the settled log goes on after the place up to which deliveries were made. It locks nothing: a lock would make
-- this a transaction that writes, before which the log ends for all databases of the server.
-- Its first event is asked for, in order, as a planner that has not counted the tables would read the whole log.
select exists (
    select
      from webhook_fan_out f cross join lateral (
        select from events_after(f.transaction_id, f.position) e order by e.transaction_id, e.position limit 1
      ) next);

-- name: lock_webhook_fan_out()^
-- returns: WebhookFanOut
-- The place in the log up to which deliveries were made, locked. Empty: another worker is at it.
select f.position from webhook_fan_out f for update skip locked;

-- name: list_events_to_fan_out(page_size, page_bytes, longest)
-- returns: EventToFanOut
-- A page of the settled log from that place on, each event with the endpoints to be told of it. Take the place before.
-- An endpoint is not told of what happened before its time, an import's old tickets among it, nor that these are gone;
-- but of its own pings always.
-- `public` is the event in JSON, without what is for staff, and `whole` with that, if there is any. Both are null if the
-- event has more bytes than `longest`, or if that is null. All of an `internal` event is for staff.
-- nullable: page_bytes, longest
select e.transaction_id::text as transaction_id, e.position, e.id, e.type, e.ticket, page.more,
       event_is_internal(e) as internal,
       case when :longest::int is not null and event_bytes(e) <= :longest::int
            then event_told(e, false)::text end as public,
       case when :longest::int is not null and event_bytes(e) <= :longest::int
                 and (parts.staff is not null or parts.staff_previous is not null)
            then event_told(e, true)::text end as whole,
       -- What the fan-out itself goes by, of those few types that it does.
       case when e.type in ('webhook.updated', 'webhook.disabled', 'comment.deleted') then e.data ->> 'id' end as subject,
       case when e.type in ('webhook.updated', 'webhook.disabled')
            then parts.data ->> 'status' <> 'paused' and parts.previous ->> 'status' in ('paused', 'disabled')
       end is true as released,
       (select coalesce(jsonb_agg(jsonb_build_object('id', w.id, 'format', w.format, 'status', w.state)), '[]')
          from webhook_endpoints w
         where w.state <> 'disabled'
           and w.created_at <= case when e.type = 'ticket.deleted' or (e.type = 'comment.deleted' and e.actor_id is null)
                                    then (e.data ->> 'created_at')::timestamptz else e.occurred_at end
           and (webhook_wants(w, e, declared) or (e.type = 'webhook.pinged' and e.data ->> 'id' = w.id::text))) as endpoints
  from (select * from webhook_fan_out limit 1) f
 cross join lateral log_page(f.transaction_id, f.position, :page_size, :page_bytes::int) page
 cross join lateral (
    select * from events_after(f.transaction_id, f.position) l
     where (l.transaction_id, l.position) <= (page.transaction_id, page.position)
     order by l.transaction_id, l.position
     limit :page_size
 ) e
  left join event_types declared on declared.type = e.type
 cross join lateral event_parts(e) parts
 order by e.transaction_id, e.position;

-- name: move_webhook_fan_out(transaction_id, position)!
-- Remember that deliveries were made up to here.
update webhook_fan_out set transaction_id = :transaction_id::text::xid8, position = :position;

-- name: insert_deliveries(rows, queue, max_attempts, group_limit)$
-- Make deliveries, each with the job that sends it unless its endpoint is paused; how many jobs that makes.
with given as (
    -- A microsecond apart, because jobs go in the order in which they are due.
    select g.*, now() + make_interval(secs => 1e-6 * g.place) as due
      from jsonb_to_recordset(:rows)
        as g (place int, id uuid, endpoint_id uuid, event_id uuid, type text, paused boolean)
), inserted as (
    insert into deliveries as d (id, endpoint_id, event_id, type, next_attempt_at)
    select g.id, g.endpoint_id, g.event_id, g.type, case when not g.paused then g.due end
      from given g
     order by g.place
    on conflict (event_id, endpoint_id) do nothing
    returning d.id
), enqueued as (
    select enqueue_delivery(g.id, g.endpoint_id, g.due, :queue, :max_attempts, :group_limit) as job_id
      from (select given.* from inserted join given using (id) where not paused order by place) g
)
select count(job_id) from enqueued;

-- Messages -----------------------------------------------------------------------------------------------------------

-- name: insert_messages(rows)!
-- Keep what is told of events, unless it is there already.
insert into webhook_messages (event_id, format, body, internal_body)
select g.event_id, g.format, g.body, g.internal_body
  from jsonb_to_recordset(:rows) as g (event_id uuid, format webhook_format, body text, internal_body text)
    on conflict (event_id, format) do nothing;

-- name: lock_event_to_tell(event_id, longest)^
-- returns: EventToTell
-- An event in JSON without what is for staff, and whole if that is something else; null if it has more bytes than
-- `longest`. All of an `internal` one is for staff. Locked until the transaction ends.
select event_is_internal(e) as internal,
       case when event_bytes(e) <= :longest::int then event_told(e, false)::text end as public,
       case when event_bytes(e) <= :longest::int and (parts.staff is not null or parts.staff_previous is not null)
            then event_told(e, true)::text end as whole
  from events e cross join lateral event_parts(e) parts
 where e.id = :event_id
   for share of e;

-- name: get_message(event_id, endpoint_id)$
-- What an endpoint is sent of an event, if that is written.
select message_body(m, w)
  from webhook_endpoints w join webhook_messages m on m.format = w.format
 where m.event_id = :event_id and w.id = :endpoint_id;

-- name: delete_messages_of_comment(ticket, comment_id)!
-- Forget what was written of a comment; what is still sent of it is written anew.
delete from webhook_messages m
 using events e
 where e.ticket = :ticket and e.type in ('comment.created', 'comment.updated') and e.data ->> 'id' = :comment_id::text
   and m.event_id = e.id;

-- Sending ------------------------------------------------------------------------------------------------------------

-- name: get_delivery_to_send(delivery_id)^
-- returns: DeliveryToSend
-- A pending delivery with all that sending it takes, and what time it is for all workers alike. The secrets are the
-- newest first; `body` is null if the message was not written yet. It is `withheld` if it is for staff only, and the
-- endpoint gets nothing that is any more, except for its own pings. If the event is not kept any more, its message says
-- whether it is for staff: then it has no public body.
select d.id, d.endpoint_id, d.event_id, w.format, d.tries, w.url, w.state as endpoint_status, clock_timestamp() as now,
       not w.include_internal
       and exists (select from event_types declared
                    where declared.type = d.type
                      and (declared.internal
                           or exists (select from events e where e.id = d.event_id and event_is_internal(e))
                           or exists (select from webhook_messages m
                                       where m.event_id = d.event_id and m.format = w.format and m.body = '')))
       and not exists (select from events e where e.id = d.event_id and e.type = 'webhook.pinged'
                                              and e.data ->> 'id' = w.id::text) as withheld,
       (select message_body(m, w) from webhook_messages m
         where m.event_id = d.event_id and m.format = w.format) as body,
       array(select s.key_id from webhook_secrets s
              where s.endpoint_id = w.id and (s.expires_at is null or s.expires_at > now()) order by s.id desc) as key_ids,
       array(select s.sealed from webhook_secrets s
              where s.endpoint_id = w.id and (s.expires_at is null or s.expires_at > now()) order by s.id desc) as sealed
  from deliveries d
  join webhook_endpoints w on w.id = d.endpoint_id
 where d.id = :delivery_id and d.status = 'pending';

-- name: record_success(delivery_id, endpoint_id, started_at, milliseconds, status, answer)!
-- Note an attempt that was accepted; the endpoint is not failing any more.
with attempt as (
    update deliveries
       set status = 'delivered', attempt_count = attempt_count + 1, tries = tries + 1, next_attempt_at = null,
           settled_at = clock_timestamp()
     where id = :delivery_id
    returning id, attempt_count
), recovered as (
    update webhook_endpoints set failing_since = null, warned_at = null
     where id = :endpoint_id and failing_since is not null
)
insert into delivery_attempts (delivery_id, number, started_at, milliseconds, status, answer)
select id, attempt_count, :started_at, :milliseconds::int, :status::int, :answer from attempt;

-- name: record_failure(delivery_id, endpoint_id, started_at, milliseconds, status, answer, error, pause)$
-- Note an attempt that failed, and when the next one is due, if any; for how many seconds the endpoint has been failing.
-- nullable: status, answer, pause
with updated as (
    update deliveries
       set status = case when :pause::float8 is null then 'failed' else 'pending' end::delivery_status,
           attempt_count = attempt_count + 1, tries = tries + 1,
           next_attempt_at = clock_timestamp() + make_interval(secs => :pause::float8),
           settled_at = case when :pause::float8 is null then clock_timestamp() end
     where id = :delivery_id
    returning id, attempt_count
), attempt as (
    insert into delivery_attempts (delivery_id, number, started_at, milliseconds, status, answer, error)
    select id, attempt_count, :started_at, :milliseconds::int, :status::int, :answer, :error from updated
), failing as (
    update webhook_endpoints set failing_since = clock_timestamp() where id = :endpoint_id and failing_since is null
)
select coalesce(extract(epoch from clock_timestamp() - w.failing_since), 0)::float8
  from webhook_endpoints w
 where w.id = :endpoint_id;

-- name: record_unsent(delivery_id, error)!
-- Give a delivery up that cannot or may not be sent, which is no fault of its endpoint.
with updated as (
    update deliveries
       set status = 'failed', attempt_count = attempt_count + 1, tries = tries + 1, next_attempt_at = null,
           settled_at = clock_timestamp()
     where id = :delivery_id and status = 'pending'
    returning id, attempt_count
)
insert into delivery_attempts (delivery_id, number, started_at, milliseconds, error)
select id, attempt_count, clock_timestamp(), 0, :error from updated;

-- name: warn_of_webhook_endpoint(event_id, endpoint_id)$
-- Record once that an endpoint does nothing but fail. Empty: it was, or the endpoint is not active.
with updated as (
    update webhook_endpoints as w set warned_at = clock_timestamp()
     where w.id = :endpoint_id and w.state = 'active' and w.warned_at is null and w.failing_since is not null
    returning w
), event as (
    insert into events (id, type, data)
    select :event_id, 'webhook.failing', to_jsonb(r)
      from updated cross join lateral webhook_endpoint_resource(updated.w) r
)
select true from updated;

-- name: disable_webhook_endpoint(event_id, endpoint_id)$
-- Send nothing to an endpoint any more. Empty: it was disabled before.
with before as (
    select w.state from webhook_endpoints w where w.id = :endpoint_id and w.state <> 'disabled' for update
), updated as (
    update webhook_endpoints as w
       set state = 'disabled', disabled_at = clock_timestamp(), updated_at = clock_timestamp()
     where w.id = :endpoint_id and exists (select from before)
    returning w
), event as (
    insert into events (id, type, data, previous)
    select :event_id, 'webhook.disabled', with_state(to_jsonb(r)),
           with_state(jsonb_build_object('status', before.state, 'disabled_at', null))
      from before cross join updated cross join lateral webhook_endpoint_resource(updated.w) r
)
select true from updated;

-- name: park_delivery(delivery_id, endpoint_id)$
-- Let a delivery wait for the end of the pause. Empty: that is over.
with paused as (
    -- An end of the pause waits for us, and whoever it lets go then finds this delivery without a job.
    select from webhook_endpoints w where w.id = :endpoint_id and w.state = 'paused' for share
)
update deliveries set next_attempt_at = null where id = :delivery_id and exists (select from paused) returning true;

-- Many at once -------------------------------------------------------------------------------------------------------

-- name: enqueue_deliveries(delivery_ids, queue, max_attempts, group_limit)$
-- Have these pending deliveries sent, in this order; how many did not have a job already.
with enqueued as materialized (
    select d.id, g.place,
           enqueue_delivery(d.id, d.endpoint_id, now() + make_interval(secs => 1e-6 * g.place), :queue, :max_attempts,
                            :group_limit) as job_id
      from unnest(:delivery_ids::uuid[]) with ordinality as g (id, place) join deliveries d using (id)
     where d.status = 'pending'
), updated as (
    update deliveries d set next_attempt_at = now()
      from enqueued e
     where d.id = e.id and e.job_id is not null and d.status = 'pending'
    returning d.id
)
select count(*) from updated;

-- name: list_held_back(endpoint_id, after, page_size)
-- returns: HeldBack
-- The pending deliveries of an endpoint, the oldest first, from after a given one on. `between` makes the order one that
-- only deliveries_pending has; of an equality the planner walks all deliveries by id, and filters.
select d.id
  from deliveries d
 where d.endpoint_id between :endpoint_id and :endpoint_id and d.status = 'pending'
   and (:after::uuid is null or d.id > :after::uuid)
 order by d.endpoint_id, d.id
 limit :page_size;

-- name: list_stray_deliveries(overdue_seconds, after_due, after, page_size)
-- returns: StrayDelivery
-- Pending deliveries that were due long ago and should have a job, the one due first first, from after a given one on.
-- nullable: after_due, after
select d.id, d.next_attempt_at as due
  from deliveries d join webhook_endpoints w on w.id = d.endpoint_id
 where d.status = 'pending' and w.state <> 'paused'
   and d.next_attempt_at < now() - make_interval(secs => :overdue_seconds::float8)
   and (:after_due::timestamptz is null or (d.next_attempt_at, d.id) > (:after_due::timestamptz, :after::uuid))
 order by d.next_attempt_at, d.id
 limit :page_size;

-- name: revive_deliveries(endpoint_id, delivery_id, failed_since, after, page_size)
-- returns: HeldBack
-- Make settled deliveries pending: a given one, or those that have failed since a moment, from after a given one on.
with chosen as (
    select d.id
      from deliveries d
     where d.endpoint_id = :endpoint_id
       and (d.id = :delivery_id::uuid or :delivery_id::uuid is null)
       and ((d.status = 'failed' and d.settled_at >= :failed_since::timestamptz) or :failed_since::timestamptz is null)
       and d.status <> 'pending'
       and (:after::uuid is null or d.id > :after::uuid)
     order by d.id
     limit :page_size
       for update
), revived as (
    update deliveries d set status = 'pending', tries = 0, settled_at = null, next_attempt_at = null
      from chosen c
     where d.id = c.id
    returning d.id
)
select id from revived order by id;

-- name: list_events_to_replay(endpoint_id, after, until, since, page_size)
-- returns: EventToReplay
-- The next of the events recorded between two, the oldest first, and which of them an endpoint's filters let pass. What
-- the fan-out has not read is still to come from there.
-- nullable: since
select e.id, e.type,
       webhook_wants(w, e) and (e.transaction_id, e.position) <= (f.transaction_id, f.position)
       and (:since::timestamptz is null or e.occurred_at >= :since::timestamptz) as wanted
  from webhook_endpoints w
 cross join (select * from webhook_fan_out limit 1) f
 cross join lateral (
    -- Bounded on one side only: of a range a planner that has not counted expects little, and would sort all of it.
    select * from events l where l.id > :after order by l.id limit :page_size
 ) e
 where w.id = :endpoint_id and e.id < :until
 order by e.id;

-- name: replay_deliveries(delivery_ids, event_ids, types, endpoint_id)
-- returns: HeldBack
-- Make deliveries of these events, in this order; those that are settled become pending. Not given is what was on its
-- way already.
with given as (
    select g.*
      from unnest(:delivery_ids::uuid[], :event_ids::uuid[], :types::text[]) with ordinality
           as g (id, event_id, type, place)
), made as (
    insert into deliveries as d (id, endpoint_id, event_id, type)
    select g.id, :endpoint_id, g.event_id, g.type from given g order by g.place
    on conflict (event_id, endpoint_id) do update
       set status = 'pending', tries = 0, settled_at = null, next_attempt_at = null
     where d.status <> 'pending'
    returning d.id, d.event_id
)
select made.id from made join given using (event_id) order by given.place;

-- name: delete_old_deliveries(days, batch)!
-- Forget a batch of deliveries that were settled long ago, and what only they told.
with old as materialized (
    -- Locked, as one that is sent once more meanwhile is not old any more.
    select o.id
      from deliveries o
     where o.settled_at < now() - make_interval(days => :days::int)
     order by o.settled_at
     limit :batch
       for update skip locked
), deleted as (
    delete from deliveries d where d.id = any(array(select id from old)) returning d.id, d.event_id
), untold as (
    delete from webhook_messages m
     where m.event_id = any(array(select x.event_id from deleted x))
       and not exists (select from deliveries d
                        where d.event_id = m.event_id and d.id not in (select deleted.id from deleted))
)
select from deleted;

-- name: delete_orphaned_deliveries(batch)!
-- Forget a batch of deliveries whose endpoint is gone, and what only they told.
with recursive named as (
    -- From endpoint to endpoint in the index, so that the cost is by endpoints and not by deliveries.
    (select d.endpoint_id from deliveries d order by d.endpoint_id limit 1)
    union all
    select next.endpoint_id
      from named n cross join lateral (
        select d.endpoint_id from deliveries d where d.endpoint_id > n.endpoint_id order by d.endpoint_id limit 1
      ) next
), orphaned as materialized (
    select o.id
      from named n cross join lateral (
        select d.id from deliveries d where d.endpoint_id = n.endpoint_id order by d.id limit :batch
      ) o
     where not exists (select from webhook_endpoints w where w.id = n.endpoint_id)
     limit :batch
), deleted as (
    delete from deliveries d where d.id = any(array(select id from orphaned)) returning d.id, d.event_id
), untold as (
    delete from webhook_messages m
     where m.event_id = any(array(select x.event_id from deleted x))
       and not exists (select from deliveries d
                        where d.event_id = m.event_id and d.id not in (select deleted.id from deleted))
)
select from deleted;

-- name: list_secrets_to_reseal(key_id, after, page_size)
-- returns: WebhookSecret
-- Secrets that are sealed with another key than this one.
-- nullable: after
select s.id, s.endpoint_id, s.key_id, s.sealed
  from webhook_secrets s
 where s.key_id <> :key_id and (:after::uuid is null or s.id > :after)
 order by s.id
 limit :page_size;

-- name: reseal_webhook_secret(secret_id, key_id, sealed)!
-- Keep a secret under another key.
update webhook_secrets set key_id = :key_id, sealed = :sealed where id = :secret_id;
