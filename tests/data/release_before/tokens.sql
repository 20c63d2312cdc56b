-- Tokens: what a user signs in with. The secret itself is never stored.

-- name: insert_token(event_id, idempotency_key, fingerprint, actor_id, token_id, user_id, role, created_by, name, hash, prefix, scopes, expires_at, sealed)^
-- returns: Token
-- Issue a token, provided that its user is active and has the role that its scopes were judged by, and that the token
-- that asks has not been revoked. What would end either of them waits. Empty: something of this is not so, or the key
-- is taken.
-- nullable: fingerprint, expires_at, actor_id, sealed
with owner as materialized (
    select id from users where id = :user_id and active and role = :role::user_role for share
), maker as materialized (
    select id from tokens where id = :created_by and revoked_at is null for share
), possible as materialized (
    select owner.id as owner_id, maker.id as maker_id
      from owner left join maker on true
     where :created_by::uuid is null or maker.id is not null
), claimed as materialized (
    select * from possible
     where :idempotency_key::text is null
        or claim_idempotency_key(:actor_id, :idempotency_key, :fingerprint, :event_id)
), inserted as (
    insert into tokens as t (id, user_id, created_by_token, name, hash, prefix, scopes, expires_at)
    select :token_id, owner_id, maker_id, :name, :hash, :prefix, :scopes::token_scope[], :expires_at::timestamptz
      from claimed
    returning t
), kept as (
    insert into sealed_tokens (event_id, sealed) select :event_id, :sealed from inserted where :sealed::bytea is not null
), resource as materialized (
    select r.* from inserted i cross join lateral token_resource(i.t) r
), event as (
    insert into events (id, type, actor_id, audience, data)
    select :event_id, 'token.created', :actor_id, 'internal', to_jsonb(resource) from resource
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
 where t.user_id = :user_id and (:after::uuid is null or t.id > :after::uuid)
 order by t.id
 limit :page_size;

-- name: get_token(token_id, user_id)^
-- returns: Token
-- One of a user's tokens.
select r.* from tokens t cross join lateral token_resource(t) r where t.id = :token_id and t.user_id = :user_id;

-- name: get_token_owner(token_id)$
-- Whose token this is.
select user_id from tokens where id = :token_id;

-- name: list_identities(hashes)
-- returns: Identity
-- Whose tokens these are, and why one does not hold; notes at most once a minute that one was used.
with used as (
    update tokens set last_used_at = now()
     where id in (select id from tokens
                   where hash = any(:hashes) and revoked_at is null and (expires_at is null or expires_at > now())
                     and (last_used_at is null or last_used_at < now() - interval '1 minute')
                     for no key update skip locked)
)
select t.hash, t.id as token_id, u.id as user_id, u.name, u.role, t.scopes::text[] as scopes, t.expires_at,
       case when t.revoked_at is not null then 'revoked'
            when t.expires_at <= now() then 'expired'
            when not u.active then 'deactivated' end as refusal
  from tokens t join users u on u.id = t.user_id
 where t.hash = any(:hashes);

-- name: list_ended_tokens(token_ids, roles, scope)
-- returns: EndedToken
-- Which of these tokens do not hold any more, lack the scope, or are those of a user who has another role than before.
select given.token_id, given.role
  from unnest(:token_ids::uuid[], :roles::text[]) as given (token_id, role)
 where not exists (select from tokens t join users u on u.id = t.user_id
                    where t.id = given.token_id and u.active and u.role::text = given.role
                      and t.revoked_at is null and (t.expires_at is null or t.expires_at > now())
                      and :scope = any(t.scopes::text[]));

-- name: list_tokens_with(user_id, scopes)
-- returns: TokenId
-- A user's tokens that carry any of these scopes and have not expired.
select id from tokens
 where user_id = :user_id and scopes && :scopes::token_scope[] and (expires_at is null or expires_at > now());

-- name: list_descendants(token_id)
-- returns: TokenId
-- The tokens that still hold of those made with a token, or with one of these in turn.
with recursive made as (
    select id from tokens where created_by_token = :token_id
    union
    select t.id from tokens t join made on t.created_by_token = made.id
)
select t.id from tokens t join made using (id)
 where t.revoked_at is null and (t.expires_at is null or t.expires_at > now());

-- name: revoke_tokens(token_ids, event_ids, actor_id)
-- returns: Token
-- End these tokens now, each with its event; without those that have been revoked before.
-- nullable: actor_id
with revoked as (
    update tokens as t set revoked_at = clock_timestamp()
      from unnest(:token_ids::uuid[], :event_ids::uuid[]) as given (token_id, event_id)
     where t.id = given.token_id and t.revoked_at is null
    returning t, given.event_id
), resource as materialized (
    select r.*, revoked.event_id from revoked cross join lateral token_resource(revoked.t) r
), event as (
    insert into events (id, type, actor_id, audience, data, previous)
    select event_id, 'token.revoked', :actor_id, 'internal', to_jsonb(resource) - 'event_id', '{"revoked_at": null}'
      from resource
)
select id, name, prefix, scopes, created_by_token, created_at, expires_at, last_used_at, revoked_at from resource;
