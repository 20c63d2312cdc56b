-- Codes that are mailed to people who want to sign in. Of a code's id only the hash is kept, and of the code what takes
-- that id to compute: what is here opens nothing.
create table sign_in_codes (
    hash       bytea primary key check (length(hash) = 32),
    code_hash  bytea not null,
    -- The address of mail that was given, whether it is anybody's or not, and the network that gave it.
    email      text not null,
    network    text not null,
    attempts   smallint not null default 0,
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz(3) not null,
    used_at    timestamptz(3)
);
create index sign_in_codes_email on sign_in_codes (lower(email), created_at);
create index sign_in_codes_network on sign_in_codes (network, created_at);
