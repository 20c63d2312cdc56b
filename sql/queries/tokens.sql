-- Tokens: what a user signs in with. The secret itself is never stored.

-- name: insert_token(event_id, idempotency_key, fingerprint, actor_id, token_id, user_id, role, created_by, name, hash, prefix, scopes, expires_at, sealed)^
-- returns: Token
-- Issue a token, provided that its user is active and has the role that its scopes were judged by, and that the token
-- that asks has not been revoked, whose limits it gets. What would end either of them waits. Empty: something of this is not so, or the key
-- is taken.
-- nullable: fingerprint, expires_at, actor_id, sealed
with owner as materialized (
    select id from users where id = :user_id and active and role = :role::user_role for share
), maker as materialized (
    select id, projects from tokens where id = :created_by and revoked_at is null for share
), possible as materialized (
    select owner.id as owner_id, maker.id as maker_id, maker.projects
      from owner left join maker on true
     where :created_by::uuid is null or maker.id is not null
), claimed as materialized (
    select * from possible
     where :idempotency_key::text is null
        or claim_idempotency_key(:actor_id, :idempotency_key, :fingerprint, :event_id)
), inserted as (
    insert into tokens as t (id, user_id, created_by_token, projects, name, hash, prefix, scopes, expires_at)
    select :token_id, owner_id, maker_id, projects, :name, :hash, :prefix, :scopes::text[], :expires_at::timestamptz
      from claimed
    returning t
), kept as (
    insert into sealed_tokens (event_id, sealed) select :event_id, :sealed from inserted where :sealed::bytea is not null
), resource as materialized (
    select r.* from inserted i cross join lateral token_resource(i.t) r
), event as (
    insert into events (id, type, actor_id, data)
    select :event_id, 'token.created', :actor_id, to_jsonb(resource) from resource
)
select * from resource;

-- name: get_sealed_token(event_id)$
-- The secret of a token, sealed, for as long as the request that made it may be repeated.
select sealed from sealed_tokens where event_id = :event_id and created_at >= now() - interval '24 hours';

-- name: delete_expired_sealed_tokens()!
-- Delete the sealed secrets that nobody can ask for any more.
delete from sealed_tokens where created_at < now() - interval '24 hours';

-- name: list_tokens(user_id, after, page_size)
-- returns: Token
-- A page of a user's tokens, oldest first, from after a given one on.
select r.*
  from tokens t cross join lateral token_resource(t) r
 where t.user_id = :user_id and t.idle is null and (:after::uuid is null or t.id > :after::uuid)
 order by t.id
 limit :page_size;

-- name: get_token(token_id, user_id)^
-- returns: Token
-- One of a user's tokens.
select r.* from tokens t cross join lateral token_resource(t) r
 where t.id = :token_id and t.user_id = :user_id and t.idle is null;

-- name: get_token_owner(token_id)$
-- Whose token this is.
select user_id from tokens where id = :token_id;

-- name: list_identities(hashes)
-- returns: Identity
-- Whose tokens these are, and why one does not hold; notes at most once a minute that one was used.
with used as (
    update tokens set last_used_at = now()
     where id in (select id from tokens
                   where hash = any(:hashes) and revoked_at is null and not has_lapsed(tokens)
                     and (last_used_at is null or last_used_at < now() - interval '1 minute')
                     for no key update skip locked)
)
select hash, token_id, user_id, name, role, scopes, organizations, staffed, everywhere, limits, rights, expires_at, refusal, session
  from identities
 where hash = any(:hashes);

-- name: get_token_refusal(token_id)$
-- Why a token does not hold; null if it does.
select refusal from identities where token_id = :token_id;

-- name: list_ended_tokens(token_ids, rights)
-- returns: EndedToken
-- Which of these tokens do not hold any more, or come with other rights than before.
select given.token_id, given.rights
  from unnest(:token_ids::uuid[], :rights::text[]) as given (token_id, rights)
 where not exists (select from identities i
                    where i.token_id = given.token_id and i.refusal is null and i.rights = given.rights);

-- name: lock_tokens_with(user_id, scopes)
-- returns: TokenId
-- A user's tokens that carry any of these scopes and still hold, locked by id until the transaction ends.
select id from tokens
 where user_id = :user_id and scopes && :scopes::text[]
   and revoked_at is null and (expires_at is null or expires_at > now())
 order by id
   for no key update;

-- name: lock_token_family(token_id, children)
-- returns: TokenId
-- A token that was not revoked; with `children` also those that still hold of the tokens made with it, or with one of
-- these in turn. Locked by id until the transaction ends.
with recursive made as (
    select id from tokens where id = :token_id
    union
    select t.id from tokens t join made on t.created_by_token = made.id where :children
)
select t.id
  from tokens t join made using (id)
 where t.revoked_at is null and (t.id = :token_id or t.expires_at is null or t.expires_at > now())
 order by t.id
   for no key update of t;

-- name: revoke_tokens(token_ids)
-- returns: Token
-- End those of these tokens, which are locked, that are no sessions, now.
with revoked as (
    update tokens as t set revoked_at = clock_timestamp() where t.id = any(:token_ids) and t.idle is null returning t
)
select r.* from revoked cross join lateral token_resource(revoked.t) r order by r.id;
