-- Users: every person or machine known to us, with or without a way to sign in.

-- name: insert_user(event_id, idempotency_key, fingerprint, actor_id, user_id, name, email, role, service_account)^
-- returns: User
-- Add a person or a machine. Empty: the key is taken.
-- nullable: fingerprint, email, actor_id
with inserted as (
    insert into users as u (id, name, email, role, service_account)
    select :user_id, :name, :email, :role::user_role, :service_account
     where :idempotency_key::text is null
        or claim_idempotency_key(:actor_id, :idempotency_key, :fingerprint, :event_id)
    returning u
), resource as materialized (
    select r.* from inserted i cross join lateral user_resource(i.u) r
), event as (
    insert into events (id, type, actor_id, data)
    select :event_id, 'user.created', :actor_id, to_jsonb(resource) from resource
)
select * from resource;

-- name: add_requester(event_id, actor_id, user_id, name, email)^
-- returns: User
-- Add whoever writes for the first time. Empty: the e-mail address is known.
with inserted as (
    insert into users as u (id, name, email) values (:user_id, :name, :email)
    on conflict ((lower(email))) do nothing
    returning u
), resource as materialized (
    select r.* from inserted i cross join lateral user_resource(i.u) r
), event as (
    insert into events (id, type, actor_id, data)
    select :event_id, 'user.created', :actor_id, to_jsonb(resource) from resource
)
select * from resource;

-- name: list_users(role, active, service_account, name, email, after, page_size)
-- returns: User
-- A page of users, in the order in which they were added, from after a given one on.
select r.*
  from users u cross join lateral user_resource(u) r
 where (:role::user_role[] is null or u.role = any(:role::user_role[]))
   and (:active::boolean is null or u.active = :active::boolean)
   and (:service_account::boolean is null or u.service_account = :service_account::boolean)
   and (:name::text is null or strpos(lower(u.name || ' ' || coalesce(u.email, '')), lower(:name::text)) > 0)
   and (:email::text is null or lower(u.email) = lower(:email))
   and (:after::uuid is null or u.id > :after::uuid)
 order by u.id
 limit :page_size;

-- name: get_user(user_id)^
-- returns: User
-- One user.
select r.* from users u cross join lateral user_resource(u) r where u.id = :user_id;

-- name: get_user_by_email(email)^
-- returns: User
-- The user with an e-mail address, whatever its case.
select r.* from users u cross join lateral user_resource(u) r where lower(u.email) = lower(:email);

-- name: lock_user_by_email(email)^
-- returns: User
-- The user with an e-mail address, whatever its case, locked until the transaction ends.
select r.* from users u cross join lateral user_resource(u) r where lower(u.email) = lower(:email) for no key update of u;

-- name: settle_user(user_id, locale, projects)!
-- Have somebody who was invited staff these projects, or all if there are none, and see pages in this language unless
-- they have chosen one.
with settled as (
    update users set everywhere = :projects::text[] = '{}', locale = coalesce(nullif(locale, ''), :locale)
     where id = :user_id
), gone as (
    delete from project_staff where user_id = :user_id and not project = any(:projects::text[])
)
insert into project_staff (user_id, project)
select :user_id, project from unnest(:projects::text[]) project on conflict do nothing;

-- name: lock_user(user_id)^
-- returns: User
-- One user, locked until the transaction ends.
select r.* from users u cross join lateral user_resource(u) r where u.id = :user_id for no key update of u;

-- name: update_user(user_id, name, email, role, active)^
-- returns: User
-- Write the fields of a user that lock_user has locked.
-- nullable: email
with updated as (
    update users as u set name = :name, email = :email, role = :role::user_role, active = :active,
                          updated_at = clock_timestamp()
     where id = :user_id
    returning u
)
select r.* from updated cross join lateral user_resource(updated.u) r;

-- name: get_profile(user_id)^
-- returns: Profile
-- One user, with their preferences.
select to_jsonb(r) as "user", user_preferences(u) as preferences
  from users u cross join lateral user_resource(u) r where u.id = :user_id;

-- name: lock_profile(user_id)^
-- returns: Profile
-- One user, with their preferences, locked until the transaction ends.
select to_jsonb(r) as "user", user_preferences(u) as preferences
  from users u cross join lateral user_resource(u) r where u.id = :user_id for no key update of u;

-- name: update_profile(user_id, name, locale, time_zone, view_order, hidden_views, replies, resolutions, assignments)^
-- returns: Profile
-- Write what a user may change of themselves, when lock_profile has locked them.
with updated as (
    update users as u
       set name = :name, locale = :locale, time_zone = :time_zone,
           view_order = :view_order, hidden_views = :hidden_views, mail_replies = :replies,
           mail_resolutions = :resolutions, mail_assignments = :assignments, updated_at = clock_timestamp()
     where id = :user_id
    returning u
)
select to_jsonb(r) as "user", user_preferences(updated.u) as preferences
  from updated cross join lateral user_resource(updated.u) r;
