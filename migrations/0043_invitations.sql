-- Invitations: an admin asks somebody by mail to join, with a role. Only the SHA-256 of what the link holds is kept.

create table invitations (
    id          uuid primary key,
    email       text not null check (email <> ''),
    name        text not null check (name <> ''),
    role        user_role not null,
    -- What an agent will staff; all projects if it is empty.
    projects    text[] not null default '{}',
    -- The language of the mail, and of the user at first.
    locale      text not null default '',
    hash        bytea not null unique,
    -- Null for whoever has the command line.
    created_by  uuid references users,
    -- Who has accepted it.
    user_id     uuid references users,
    created_at  timestamptz(3) not null default now(),
    sent_at     timestamptz(3) not null default now(),
    expires_at  timestamptz(3) not null,
    accepted_at timestamptz(3),
    revoked_at  timestamptz(3),
    check ((accepted_at is null) = (user_id is null)),
    check (accepted_at is null or revoked_at is null)
);

-- An address has one invitation that may be accepted, or sent again.
create unique index invitations_open on invitations (lower(email)) where accepted_at is null and revoked_at is null;
create index invitations_by on invitations (created_by) where accepted_at is null and revoked_at is null;
