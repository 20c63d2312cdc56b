-- Browser sessions: tokens that a browser keeps in a cookie.

-- Whether a token, or a session, has ended by itself: its time is over, or it was not used for too long.
create or replace function has_lapsed(t tokens) returns boolean language sql stable
return coalesce(t.expires_at <= now(), false) or coalesce(coalesce(t.last_used_at, t.created_at) + t.idle <= now(), false);

-- The contract's Session, but for what only whoever asks knows.
create or replace function session_resource(t tokens)
returns table (id uuid, user_id uuid, browser text, platform text, address text, created_at text, last_used_at text,
               expires_at text)
language sql stable rows 1 begin atomic
    select t.id, t.user_id, t.browser, t.platform, t.address, utc(t.created_at),
           utc(coalesce(t.last_used_at, t.created_at)),
           utc(least(t.revoked_at, t.expires_at, coalesce(t.last_used_at, t.created_at) + t.idle));
end;
