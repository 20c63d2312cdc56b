-- Who may see what: organizations, public tickets, agents of some projects, tokens for some projects.

-- Organizations whose people may see each other's tickets.
create table organizations (
    key        text primary key check (key ~ '^[a-z][a-z0-9-]{1,39}$'),
    name       text not null check (name <> ''),
    created_at timestamptz(3) not null default now(),
    updated_at timestamptz(3) not null default now()
);

create table organization_members (
    organization text not null references organizations,
    user_id      uuid not null references users,
    -- Whether they see the tickets of the whole organization, and not only their own.
    sees_tickets boolean not null default false,
    primary key (user_id, organization)
);

-- An agent staffs all projects, or those in project_staff. Admins always staff all; requesters staff none.
alter table users add column everywhere boolean not null default true;
create table project_staff (
    user_id uuid not null references users,
    project text not null references projects,
    primary key (user_id, project)
);

-- Neither column rewrites the table: null, and a constant.
alter table tickets
    add column organization text references organizations,
    add column visibility visibility not null default 'private';

-- A token may be limited to some projects: it carries its user's rights as staff in these, and no others.
alter table tokens add column projects text[];

-- The contract has the one catalogue of scopes (spec/schemas/Scope.yaml). An unknown one gives no right.
alter table tokens alter column scopes type text[] using scopes::text[];

-- For processes of the release before, which compare scopes as token_scope[]; 0022_token_scope.post.sql drops them.
create function scopes_overlap(scopes text[], others token_scope[]) returns boolean language sql immutable
return scopes && others::text[];
create operator && (leftarg = text[], rightarg = token_scope[], function = scopes_overlap);
