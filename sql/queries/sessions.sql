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

-- name: get_session(session_id)^
-- returns: SessionRow
-- One session.
select r.* from tokens t cross join lateral session_resource(t) r where t.id = :session_id and t.idle is not null;

-- name: get_session_token(session_id)^
-- returns: Token
-- One session, as if it were an API token.
select r.* from tokens t cross join lateral token_resource(t) r where t.id = :session_id and t.idle is not null;

-- name: end_sessions(session_ids)
-- returns: SessionRow
-- End those of these sessions that have not ended, now.
with ended as (
    update tokens as t set revoked_at = clock_timestamp()
     where t.id = any(:session_ids) and t.idle is not null and t.revoked_at is null
    returning t
)
select r.* from ended cross join lateral session_resource(ended.t) r order by r.id;

-- name: list_demo_accounts(user_ids)
-- returns: DemoAccount
-- Those of these users who may sign in, in this order.
select u.id as user_id, u.name, u.role
  from unnest(:user_ids::uuid[]) with ordinality as given (id, place) join users u on u.id = given.id
 where u.active and not u.service_account
 order by given.place;
