-- Views: queries that people keep under a name, for themselves or for all agents and admins.
-- What every installation begins with are no rows (src/ticketing/rules/views.py).

create type view_visibility as enum ('private', 'shared');

create table views (
    id         uuid primary key,
    name       text not null check (name <> ''),
    -- In the canonical form of the query language.
    q          text not null,
    -- What a list shows of each ticket; whatever the client thinks best if it is empty.
    columns    text[] not null default '{}',
    visibility view_visibility not null default 'private',
    owner_id   uuid not null references users,
    created_at timestamptz(3) not null default now(),
    updated_at timestamptz(3) not null default now()
);

create index views_owner on views (owner_id);
create index views_shared on views (id) where visibility = 'shared';

-- How each user has arranged their views: ids, in their order, and those that are not shown.
alter table users
    add column view_order   uuid[] not null default '{}',
    add column hidden_views uuid[] not null default '{}';
