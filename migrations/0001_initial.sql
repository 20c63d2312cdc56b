-- The data model. Read top-down: who, where, what, and what happened.
--
-- Three habits hold throughout:
--   * Constraints carry the invariants, so that no race and no forgotten check can break them.
--   * `*_resource(row)` functions give each row the shape that spec/schemas promises. They are plain SQL, which
--     PostgreSQL inlines into the calling statement: one definition, no cost.
--   * A change and its event are written by one statement (see sql/), so neither exists without the other.

-- Words, in the order in which they sort -------------------------------------------------------------------------

create type user_role         as enum ('requester', 'agent', 'admin');
create type token_scope       as enum ('tickets:read', 'tickets:write', 'admin');
create type visibility        as enum ('private', 'public');
create type comment_visibility as enum ('public', 'internal');
create type ticket_type       as enum ('bug', 'feature_request', 'support');
create type ticket_status     as enum ('open', 'in_progress', 'pending', 'resolved', 'closed');
create type ticket_priority   as enum ('low', 'normal', 'high', 'urgent');
create type ticket_severity   as enum ('none', 'low', 'medium', 'high', 'critical');
create type ticket_resolution as enum ('none', 'fixed', 'shipped', 'answered', 'duplicate', 'wont_fix',
                                       'cannot_reproduce', 'invalid', 'spam');
create type ticket_channel    as enum ('portal', 'email', 'api', 'github', 'import');

-- The one text form of a moment: RFC 3339, UTC, milliseconds. Columns are timestamptz(3), so nothing is cut off.
create function utc(moment timestamptz) returns text language sql stable parallel safe
return to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');

-- Who ------------------------------------------------------------------------------------------------------------

create table users (
    id              uuid primary key,
    name            text not null check (name <> ''),
    email           text,
    role            user_role not null default 'requester',
    service_account boolean not null default false,
    active          boolean not null default true,
    -- Where an imported person comes from, e.g. ('github', 'octocat'); an import run twice finds them again.
    external_source text,
    external_id     text,
    created_at      timestamptz(3) not null default now(),
    updated_at      timestamptz(3) not null default now(),
    check ((external_source is null) = (external_id is null)),
    unique (external_source, external_id)
);
create unique index users_email_key on users (lower(email));

create function user_ref(u users) returns jsonb language sql stable
return jsonb_build_object('id', u.id, 'name', u.name);

create function user_resource(u users)
returns table (id uuid, name text, email text, role user_role, service_account boolean, active boolean,
               created_at text, updated_at text)
language sql stable rows 1 begin atomic
    select u.id, u.name, u.email, u.role, u.service_account, u.active, utc(u.created_at), utc(u.updated_at);
end;

-- Only the SHA-256 of a token is kept; the prefix lets its owner recognise it.
create table tokens (
    id           uuid primary key,
    user_id      uuid not null references users,
    name         text not null,
    hash         bytea not null unique check (length(hash) = 32),
    prefix       text not null,
    scopes       token_scope[] not null check (cardinality(scopes) > 0),
    created_at   timestamptz(3) not null default now(),
    expires_at   timestamptz(3),
    last_used_at timestamptz(3),
    revoked_at   timestamptz(3)
);
create index tokens_user on tokens (user_id, id);

create function token_resource(t tokens)
returns table (id uuid, name text, prefix text, scopes text[], created_at text, expires_at text,
               last_used_at text, revoked_at text)
language sql stable rows 1 begin atomic
    select t.id, t.name, t.prefix, t.scopes::text[], utc(t.created_at), utc(t.expires_at),
           utc(t.last_used_at), utc(t.revoked_at);
end;

-- Where ----------------------------------------------------------------------------------------------------------

create table projects (
    key          text primary key check (key ~ '^[a-z][a-z0-9-]{1,39}$'),
    name         text not null check (name <> ''),
    description  text not null default '',
    visibility   visibility not null default 'private',
    ticket_types ticket_type[] not null check (cardinality(ticket_types) > 0),
    archived     boolean not null default false,
    created_at   timestamptz(3) not null default now(),
    updated_at   timestamptz(3) not null default now()
);

create function project_resource(p projects)
returns table (key text, name text, description text, visibility visibility, ticket_types text[], archived boolean,
               created_at text, updated_at text)
language sql stable rows 1 begin atomic
    select p.key, p.name, p.description, p.visibility, p.ticket_types::text[], p.archived,
           utc(p.created_at), utc(p.updated_at);
end;

create table categories (
    project     text not null references projects,
    key         text not null check (key ~ '^[a-z][a-z0-9-]{1,39}$'),
    name        text not null check (name <> ''),
    description text not null default '',
    archived    boolean not null default false,
    created_at  timestamptz(3) not null default now(),
    updated_at  timestamptz(3) not null default now(),
    primary key (project, key)
);

create function category_resource(c categories)
returns table (project text, key text, name text, description text, archived boolean, created_at text, updated_at text)
language sql stable rows 1 begin atomic
    select c.project, c.key, c.name, c.description, c.archived, utc(c.created_at), utc(c.updated_at);
end;

-- What -----------------------------------------------------------------------------------------------------------

create table tickets (
    number          bigint generated by default as identity primary key,
    type            ticket_type not null,
    project         text not null references projects,
    category        text,
    title           text not null check (title <> ''),
    description     text not null,
    status          ticket_status not null default 'open',
    resolution      ticket_resolution not null default 'none',
    resolution_note text,
    priority        ticket_priority not null default 'normal',
    severity        ticket_severity not null default 'none',
    tags            text[] not null default '{}',
    environment     jsonb not null default '{}' check (jsonb_typeof(environment) = 'object'),
    channel         ticket_channel not null default 'api',
    requester_id    uuid not null references users,
    assignee_id     uuid references users,
    -- Where an imported ticket comes from, e.g. ('github:octo/cat', '42').
    external_source text,
    external_id     text,
    created_at      timestamptz(3) not null default now(),
    updated_at      timestamptz(3) not null default now(),
    resolved_at     timestamptz(3),
    closed_at       timestamptz(3),
    foreign key (project, category) references categories (project, key),
    unique (external_source, external_id),
    constraint severity_is_for_bugs  check (severity = 'none' or type = 'bug'),
    constraint ended_has_resolution  check ((status in ('resolved', 'closed')) = (resolution <> 'none')),
    constraint resolved_has_moment   check ((status in ('resolved', 'closed')) = (resolved_at is not null)),
    constraint closed_has_moment     check ((status = 'closed') = (closed_at is not null)),
    constraint note_needs_resolution check (resolution_note is null or resolution <> 'none'),
    check ((external_source is null) = (external_id is null))
);
-- One index a sort, and one a selective filter in the default sort; what is left over filters along the way.
create index tickets_created   on tickets (created_at, number);
create index tickets_updated   on tickets (updated_at, number);
create index tickets_priority  on tickets (priority, number);
create index tickets_project   on tickets (project, created_at, number);
create index tickets_requester on tickets (requester_id, created_at, number);
create index tickets_assignee  on tickets (assignee_id, created_at, number);
create index tickets_status    on tickets (status, created_at, number);
create index tickets_severity  on tickets (severity, created_at, number) where severity <> 'none';
create index tickets_category  on tickets (project, category, created_at, number) where category is not null;
create index tickets_tags      on tickets using gin (tags);

create function ticket_resource(t tickets)
returns table (number bigint, type ticket_type, project text, title text, description text, status ticket_status,
               resolution ticket_resolution, resolution_note text, priority ticket_priority,
               severity ticket_severity, category text, tags text[], environment jsonb, channel ticket_channel,
               requester jsonb, assignee jsonb, external_reference jsonb,
               created_at text, updated_at text, resolved_at text, closed_at text)
language sql stable rows 1 begin atomic
    select t.number, t.type, t.project, t.title, t.description, t.status, t.resolution, t.resolution_note,
           t.priority, t.severity, t.category, t.tags, t.environment, t.channel,
           (select user_ref(u) from users u where u.id = t.requester_id),
           (select user_ref(u) from users u where u.id = t.assignee_id),
           case when t.external_source is not null
                then jsonb_build_object('source', t.external_source, 'id', t.external_id) end,
           utc(t.created_at), utc(t.updated_at), utc(t.resolved_at), utc(t.closed_at);
end;

-- Who may see a ticket: staff all of them, everyone else their own. Every read and every lock goes through here.
create function visible_tickets(viewer uuid, staff boolean) returns setof tickets language sql stable begin atomic
    select * from tickets t where staff or t.requester_id = viewer;
end;

-- The filters of GET /tickets; null is "no such filter". PostgreSQL inlines it and drops the filters that are null.
create function matching_tickets(
    viewer uuid, staff boolean, project text[], type ticket_type[], status ticket_status[],
    priority ticket_priority[], severity ticket_severity[], category text[], tags text[],
    assignee uuid, unassigned boolean, requester uuid,
    created_after timestamptz, created_before timestamptz, updated_after timestamptz, updated_before timestamptz)
returns setof tickets language sql stable begin atomic
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
end;

-- A deleted comment stays as a tombstone without its text.
create table comments (
    id          uuid primary key,
    ticket      bigint not null references tickets,
    author_id   uuid not null references users,
    body        text,
    visibility  comment_visibility not null default 'public',
    external_id text,
    created_at  timestamptz(3) not null default now(),
    updated_at  timestamptz(3) not null default now(),
    deleted_at  timestamptz(3),
    unique (ticket, external_id),
    constraint tombstone_has_no_body check ((body is null) = (deleted_at is not null))
);
create index comments_ticket on comments (ticket, created_at, id);

create function comment_resource(c comments)
returns table (id uuid, ticket bigint, author jsonb, body text, visibility comment_visibility,
               created_at text, updated_at text, deleted_at text)
language sql stable rows 1 begin atomic
    select c.id, c.ticket, (select user_ref(u) from users u where u.id = c.author_id), c.body, c.visibility,
           utc(c.created_at), utc(c.updated_at), utc(c.deleted_at);
end;

-- What happened --------------------------------------------------------------------------------------------------

-- `data` is the resource after the change, `previous` what the changed fields held before.
-- `audience` is who may ever see it: everyone who sees the ticket (or the project), or staff alone.
-- No foreign keys: the log outlives what it tells of, and each row is written by the statement that made the change.
create table events (
    id          uuid primary key,
    position    bigint generated always as identity unique,
    type        text not null,
    occurred_at timestamptz(3) not null default now(),
    ticket      bigint,
    project     text,
    actor_id    uuid,
    audience    comment_visibility not null default 'public',
    data        jsonb not null,
    previous    jsonb not null default '{}'
);
create index events_ticket on events (ticket, position) where ticket is not null;

create function event_resource(e events)
returns table (id uuid, type text, occurred_at text, ticket bigint, project text, actor jsonb,
               data jsonb, previous jsonb)
language sql stable rows 1 begin atomic
    select e.id, e.type, utc(e.occurred_at), e.ticket, e.project,
           (select user_ref(u) from users u where u.id = e.actor_id), e.data, e.previous;
end;

-- The answer to a POST is the `data` of the event it recorded, so the key only points there.
-- Not a foreign key: a key is taken before its event is written, and events may be thinned out before it expires.
create table idempotency_keys (
    user_id     uuid not null references users,
    key         text not null,
    fingerprint bytea not null,
    event_id    uuid not null,
    created_at  timestamptz not null default now(),
    primary key (user_id, key)
);
create index idempotency_keys_created on idempotency_keys (created_at);

-- Takes the key for one request, or, once it is 24 hours old, takes it over. Empty: somebody else holds it.
-- A second request with the key waits here until the first has committed or rolled back.
create function claim_idempotency_key(claimant uuid, claimed text, request bytea, event uuid)
returns boolean language sql volatile begin atomic
    insert into idempotency_keys as k (user_id, key, fingerprint, event_id)
    values (claimant, claimed, request, event)
    on conflict (user_id, key) do update
       set fingerprint = excluded.fingerprint, event_id = excluded.event_id, created_at = now()
     where k.created_at < now() - interval '24 hours'
    returning true;
end;
