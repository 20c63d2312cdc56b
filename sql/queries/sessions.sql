-- Sessions: what a browser signs in with. They are kept among the tokens, and told apart by `idle`.

-- name: insert_session(token_id, user_id, name, hash, prefix, scopes, role, idle_days, days, browser, platform, address)^
-- returns: SessionRow
-- Begin a session of a person, provided that they are active and have the role that its scopes follow from.
-- nullable: browser, platform, address
with owner as materialized (
    select id from users
     where id = :user_id and active and not service_account and role = :role::user_role
       for share
), inserted as (
    insert into tokens as t (id, user_id, name, hash, prefix, scopes, idle, expires_at, browser, platform, address)
    select :token_id, owner.id, :name, :hash, :prefix, :scopes::text[], make_interval(days => :idle_days),
           now() + make_interval(days => :days), :browser, :platform, :address
      from owner
    returning t
)
select r.* from inserted i cross join lateral session_resource(i.t) r;

-- name: list_sessions(user_id, after, page_size)
-- returns: SessionRow
-- A page of the sessions of a user that have not ended, oldest first, from after a given one on.
select r.*
  from tokens t cross join lateral session_resource(t) r
 where t.user_id = :user_id and t.idle is not null and t.revoked_at is null and not has_lapsed(t)
   and (:after::uuid is null or t.id > :after::uuid)
 order by t.id
 limit :page_size;

-- name: get_session(session_id)^
-- returns: SessionRow
-- One session.
select r.* from tokens t cross join lateral session_resource(t) r where t.id = :session_id and t.idle is not null;

-- name: get_session_token(session_id)^
-- returns: Token
-- One session, as if it were an API token.
select r.* from tokens t cross join lateral token_resource(t) r where t.id = :session_id and t.idle is not null;

-- name: lock_sessions(user_id, session_id, but)
-- returns: SessionId
-- The sessions of a user that have not ended, or one of them, but for one; locked by id until the transaction ends.
-- nullable: session_id, but
select t.id
  from tokens t
 where t.user_id = :user_id and t.idle is not null and t.revoked_at is null and not has_lapsed(t)
   and (:session_id::uuid is null or t.id = :session_id::uuid) and t.id is distinct from :but::uuid
 order by t.id
   for no key update of t;

-- name: end_sessions(session_ids)
-- returns: SessionEnded
-- End those of these tokens, which are locked, that are sessions and have not ended; with when each would have ended.
with before as materialized (
    select t.id, r.expires_at
      from tokens t cross join lateral session_resource(t) r
     where t.id = any(:session_ids) and t.idle is not null and t.revoked_at is null
), ended as (
    update tokens as t set revoked_at = clock_timestamp()
      from before where t.id = before.id
    returning t, before.expires_at as before
)
select r.*, ended.before from ended cross join lateral session_resource(ended.t) r order by r.id;

-- name: delete_old_sessions(days)!
-- Delete the sessions that ended so many days ago, but for those with which API tokens were made.
delete from tokens t
 where t.idle is not null
   and least(t.revoked_at, t.expires_at, coalesce(t.last_used_at, t.created_at) + t.idle)
       < now() - make_interval(days => :days)
   and not exists (select from tokens made where made.created_by_token = t.id);

-- name: list_demo_accounts(user_ids)
-- returns: DemoAccount
-- Those of these users who may sign in, in this order.
select u.id as user_id, u.name, u.role
  from unnest(:user_ids::uuid[]) with ordinality as given (id, place) join users u on u.id = given.id
 where u.active and not u.service_account
 order by given.place;
