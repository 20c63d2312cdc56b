-- Invitations, without what their link holds.

-- The contract's Invitation.
create or replace function invitation_resource(i invitations)
returns table (id uuid, email text, name text, role user_role, projects text[], locale text, status text,
               created_by jsonb, "user" jsonb, created_at text, sent_at text, expires_at text, accepted_at text,
               revoked_at text)
language sql stable rows 1 begin atomic
    select i.id, i.email, i.name, i.role, i.projects, i.locale,
           case when i.accepted_at is not null then 'accepted' when i.revoked_at is not null then 'revoked'
                when i.expires_at <= now() then 'expired' else 'pending' end,
           (select user_ref(u) from users u where u.id = i.created_by),
           (select user_ref(u) from users u where u.id = i.user_id),
           utc(i.created_at), utc(i.sent_at), utc(i.expires_at), utc(i.accepted_at), utc(i.revoked_at);
end;
