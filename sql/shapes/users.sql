-- Users, as the contract shows them, and the rule that one of them stays an admin.

-- The contract's UserRef: what everybody may know of a user.
-- Earlier releases named who had no other name by their e-mail address: of that it has only what is before the @.
create or replace function user_ref(u users) returns jsonb language sql stable
return jsonb_build_object('id', u.id, 'name', case when u.name = u.email then split_part(u.name, '@', 1) else u.name end);

-- The contract's User.
create or replace function user_resource(u users)
returns table (id uuid, name text, email text, role user_role, service_account boolean, active boolean,
               created_at text, updated_at text)
language sql stable rows 1 begin atomic
    select u.id, u.name, u.email, u.role, u.service_account, u.active, utc(u.created_at), utc(u.updated_at);
end;

-- The contract's Preferences, which only the user sees.
create or replace function user_preferences(u users) returns jsonb language sql stable
return jsonb_build_object(
    'locale', u.locale, 'time_zone', u.time_zone, 'view_order', u.view_order, 'hidden_views', u.hidden_views,
    'mail_notifications', jsonb_build_object(
        'replies', u.mail_replies, 'resolutions', u.mail_resolutions, 'assignments', u.mail_assignments));

-- Refuses the change that would leave no active admin, as only an admin can make another.
-- Two who demote each other at once take turns here, and the second is refused.
create or replace function keep_an_admin() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('users.admins', 0));
    if not exists (select from users where role = 'admin' and active and id <> old.id) then
        raise check_violation using constraint = 'an_admin_is_left', table = 'users',
                                    message = 'this is the last active admin';
    end if;
    return new;
end;
$$;
