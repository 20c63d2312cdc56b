-- Webhooks: who is told of events, what each is told, and how the telling went.

create type webhook_format  as enum ('standard', 'slack', 'discord');
create type webhook_state   as enum ('active', 'paused', 'disabled');
create type delivery_status as enum ('pending', 'delivered', 'failed');

-- Who is told ----------------------------------------------------------------------------------------------------

-- Empty `event_types` and `projects` are no filter. `failing_since` is the first failure after the last success.
create table webhook_endpoints (
    id               uuid primary key,
    url              text not null check (url <> ''),
    description      text not null default '',
    event_types      text[] not null default '{}',
    projects         text[] not null default '{}',
    include_internal boolean not null default false,
    format           webhook_format not null default 'standard',
    state            webhook_state not null default 'active',
    failing_since    timestamptz(3),
    warned_at        timestamptz(3),
    disabled_at      timestamptz(3),
    created_at       timestamptz(3) not null default now(),
    updated_at       timestamptz(3) not null default now(),
    constraint disabled_has_moment check ((state = 'disabled') = (disabled_at is not null)),
    constraint warned_while_failing check (warned_at is null or failing_since is not null)
);

create function webhook_endpoint_resource(w webhook_endpoints)
returns table (id uuid, url text, description text, event_types text[], projects text[], include_internal boolean,
               format webhook_format, state webhook_state, failing_since text, disabled_at text,
               created_at text, updated_at text)
language sql stable rows 1 begin atomic
    select w.id, w.url, w.description, w.event_types, w.projects, w.include_internal, w.format, w.state,
           utc(w.failing_since), utc(w.disabled_at), utc(w.created_at), utc(w.updated_at);
end;

-- Sealed by a key that is not in the database (src/ticketing/sealing.py). An id is that of the event that made it.
-- The newest signs; those that it replaced sign as well until they expire.
create table webhook_secrets (
    id          uuid primary key,
    endpoint_id uuid not null references webhook_endpoints on delete cascade,
    key_id      text not null,
    sealed      bytea not null,
    created_at  timestamptz(3) not null default now(),
    expires_at  timestamptz(3)
);
create unique index webhook_secrets_current on webhook_secrets (endpoint_id) where expires_at is null;
create index webhook_secrets_endpoint on webhook_secrets (endpoint_id, id);

-- Whether an endpoint is told of an event. What tells of webhooks and tokens has to be asked for by name, or an
-- endpoint that is told of everything would be told of its own failing, and fail again. What operators do with
-- jobs and queues is nobody else's business either.
create function webhook_wants(w webhook_endpoints, e events) returns boolean language sql stable
return case when w.event_types = '{}' then e.type !~ '^(webhook|token|job|queue)\.'
            else e.type = any(w.event_types) end
   and (w.projects = '{}' or e.project = any(w.projects))
   and (w.include_internal or e.audience = 'public' or e.ticket is null);

-- What each is told ----------------------------------------------------------------------------------------------

-- One event for one endpoint, with the body as it was when the delivery was made: every attempt sends the same bytes.
-- No foreign keys: a deleted endpoint's deliveries go with the retention, as deleting them at once may be a lot.
create table deliveries (
    id              uuid primary key,
    endpoint_id     uuid not null,
    event_id        uuid not null,
    type            text not null,
    body            text not null,
    status          delivery_status not null default 'pending',
    attempt_count   int not null default 0,
    -- Attempts since it was made or last redelivered; the schedule counts these.
    tries           int not null default 0,
    created_at      timestamptz(3) not null default now(),
    next_attempt_at timestamptz(3),
    settled_at      timestamptz(3),
    unique (endpoint_id, event_id),
    constraint settled_has_moment check ((status = 'pending') = (settled_at is null))
);
create index deliveries_endpoint on deliveries (endpoint_id, id);
create index deliveries_failed   on deliveries (endpoint_id, id) where status = 'failed';
create index deliveries_pending  on deliveries (endpoint_id, id) where status = 'pending';
create index deliveries_settled  on deliveries (settled_at) where settled_at is not null;

create table delivery_attempts (
    delivery_id  uuid not null references deliveries on delete cascade,
    number       int not null check (number > 0),
    started_at   timestamptz(3) not null,
    milliseconds int not null check (milliseconds >= 0),
    status       int,
    answer       text,
    error        text,
    primary key (delivery_id, number),
    constraint answered_or_not check ((status is null) = (answer is null) and (status is not null or error is not null))
);

create function delivery_resource(d deliveries)
returns table (id uuid, endpoint_id uuid, event_id uuid, type text, status delivery_status, attempt_count int,
               created_at text, next_attempt_at text, settled_at text)
language sql stable rows 1 begin atomic
    select d.id, d.endpoint_id, d.event_id, d.type, d.status, d.attempt_count,
           utc(d.created_at), utc(d.next_attempt_at), utc(d.settled_at);
end;

create function delivery_detail_resource(d deliveries)
returns table (id uuid, endpoint_id uuid, event_id uuid, type text, status delivery_status, attempt_count int,
               created_at text, next_attempt_at text, settled_at text, body text, attempts jsonb)
language sql stable rows 1 begin atomic
    select d.id, d.endpoint_id, d.event_id, d.type, d.status, d.attempt_count,
           utc(d.created_at), utc(d.next_attempt_at), utc(d.settled_at), d.body,
           (select coalesce(jsonb_agg(jsonb_build_object(
                       'number', a.number, 'started_at', utc(a.started_at), 'milliseconds', a.milliseconds,
                       'status', a.status, 'answer', a.answer, 'error', a.error) order by a.number), '[]')
              from delivery_attempts a where a.delivery_id = d.id);
end;

-- The job that sends a delivery; one at most. The kind's settings are those of its handler.
create function enqueue_delivery(delivery uuid, endpoint uuid, due timestamptz, queue text, max_attempts integer,
                                 group_limit integer)
returns uuid language sql volatile
return enqueue_job('webhooks.deliver', jsonb_build_object('delivery_id', delivery), queue => enqueue_delivery.queue,
                   run_at => due, max_attempts => enqueue_delivery.max_attempts, unique_key => delivery::text,
                   group_name => 'webhook:' || endpoint, group_limit => enqueue_delivery.group_limit,
                   shown => '{delivery_id}');

-- How far the log was read ---------------------------------------------------------------------------------------

-- One row: the place in the event log up to which deliveries were made. It moves in the transaction that makes them.
create table webhook_fan_out (
    single         boolean primary key default true check (single),
    transaction_id xid8 not null,
    position       bigint not null
);
insert into webhook_fan_out (transaction_id, position) values (pg_current_xact_id(), 0);
