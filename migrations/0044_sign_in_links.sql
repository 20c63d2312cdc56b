-- A mail to sign in with has a link with a secret of its own, which guesses at the digits do not use up. What took the
-- row of before may have none.
alter table sign_in_codes
    add column link_hash bytea check (length(link_hash) = 32),
    -- The IPv6 /48 in which the network is, if it is one.
    add column site      text,
    -- Whether it was mailed to an address that was nobody's.
    add column newcomer  boolean not null default false;
create index sign_in_codes_site on sign_in_codes (site, created_at) where site is not null;
create index sign_in_codes_newcomer on sign_in_codes (created_at) where newcomer;
