-- Tokens: what a user signs in with. The secret itself is never stored.

-- name: insert_token(event_id, idempotency_key, fingerprint, actor_id, token_id, user_id, name, hash, prefix, scopes, expires_at)^
-- returns: Token
-- Issue a token. Empty: the key is taken.
-- nullable: fingerprint, expires_at, actor_id
with inserted as (
    insert into tokens as t (id, user_id, name, hash, prefix, scopes, expires_at)
    select :token_id, :user_id, :name, :hash, :prefix, :scopes::token_scope[], :expires_at::timestamptz
     where :idempotency_key::text is null
        or claim_idempotency_key(:actor_id, :idempotency_key, :fingerprint, :event_id)
    returning t
), resource as materialized (
    select r.* from inserted i cross join lateral token_resource(i.t) r
), event as (
    insert into events (id, type, actor_id, audience, data)
    select :event_id, 'token.created', :actor_id, 'internal', to_jsonb(resource) from resource
)
select * from resource;

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

-- name: get_identity(hash)^
-- returns: Identity
-- Whose token this is, if it still holds; notes at most once a minute that it was used.
with used as (
    update tokens set last_used_at = now()
     where hash = :hash and revoked_at is null and (expires_at is null or expires_at > now())
       and (last_used_at is null or last_used_at < now() - interval '1 minute')
)
select t.id as token_id, u.id as user_id, u.name, u.role, t.scopes::text[] as scopes, t.expires_at
  from tokens t join users u on u.id = t.user_id
 where t.hash = :hash and t.revoked_at is null and (t.expires_at is null or t.expires_at > now()) and u.active;

-- name: list_live_tokens(token_ids)
-- returns: LiveToken
-- Which of these tokens still hold, with what they may do now.
select t.id as token_id, u.role, t.scopes::text[] as scopes
  from tokens t join users u on u.id = t.user_id
 where t.id = any(:token_ids) and t.revoked_at is null and (t.expires_at is null or t.expires_at > now()) and u.active;

-- name: revoke_token(event_id, actor_id, token_id, user_id)^
-- returns: Token
-- End a token now. Empty: it is not the user's, or was revoked before.
with revoked as (
    update tokens as t set revoked_at = clock_timestamp()
     where id = :token_id and user_id = :user_id and revoked_at is null
    returning t
), resource as materialized (
    select r.* from revoked cross join lateral token_resource(revoked.t) r
), event as (
    insert into events (id, type, actor_id, audience, data, previous)
    select :event_id, 'token.revoked', :actor_id, 'internal', to_jsonb(resource), '{"revoked_at": null}' from resource
)
select * from resource;
