-- Invitations: who is asked to join, by whom, with which role, and what became of it.

-- name: insert_invitation(invitation_id, email, name, role, projects, locale, hash, created_by, days)^
-- returns: Invitation
-- Invite an address. Empty: it has an invitation that was neither accepted nor revoked.
-- nullable: created_by
with inserted as (
    insert into invitations as i (id, email, name, role, projects, locale, hash, created_by, expires_at)
    values (:invitation_id, :email, :name, :role::user_role, :projects, :locale, :hash, :created_by,
            now() + make_interval(days => :days))
    on conflict ((lower(email))) where accepted_at is null and revoked_at is null do nothing
    returning i
)
select r.* from inserted cross join lateral invitation_resource(inserted.i) r;

-- name: list_invitations(status, after, page_size)
-- returns: Invitation
-- A page of invitations, in the order in which they were made, from after a given one on.
select r.*
  from invitations i cross join lateral invitation_resource(i) r
 where (:status::text[] is null or r.status = any(:status::text[]))
   and (:after::uuid is null or i.id > :after::uuid)
 order by i.id
 limit :page_size;

-- name: get_invitation(invitation_id)^
-- returns: Invitation
-- One invitation.
select r.* from invitations i cross join lateral invitation_resource(i) r where i.id = :invitation_id;

-- name: get_invitation_by_hash(hash)^
-- returns: Invitation
-- The invitation whose link holds what has this hash.
select r.* from invitations i cross join lateral invitation_resource(i) r where i.hash = :hash;

-- name: lock_invitation(invitation_id)^
-- returns: Invitation
-- One invitation, locked until the transaction ends.
select r.* from invitations i cross join lateral invitation_resource(i) r
 where i.id = :invitation_id for no key update of i;

-- name: lock_invitation_by_hash(hash)^
-- returns: Invitation
-- The invitation whose link holds what has this hash, locked until the transaction ends.
select r.* from invitations i cross join lateral invitation_resource(i) r where i.hash = :hash for no key update of i;

-- name: renew_invitation(invitation_id, hash, days)^
-- returns: Invitation
-- Give an invitation that lock_invitation has locked another link and another week.
with renewed as (
    update invitations as i set hash = :hash, sent_at = now(), expires_at = now() + make_interval(days => :days)
     where id = :invitation_id
    returning i
)
select r.* from renewed cross join lateral invitation_resource(renewed.i) r;

-- name: revoke_invitations(invitation_ids)
-- returns: Invitation
-- End invitations that were neither accepted nor revoked.
with revoked as (
    update invitations as i set revoked_at = now()
     where id = any(:invitation_ids) and accepted_at is null and revoked_at is null
    returning i
)
select r.* from revoked cross join lateral invitation_resource(revoked.i) r order by r.id;

-- name: lock_open_invitations(created_by, email)
-- returns: InvitationId
-- The invitations by a user, or to an address, that were neither accepted nor revoked; locked in the order of their ids.
-- nullable: created_by, email
select i.id
  from invitations i
 where i.accepted_at is null and i.revoked_at is null
   and (i.created_by = :created_by::uuid or lower(i.email) = lower(:email::text))
 order by i.id
   for no key update of i;

-- name: accept_invitation(invitation_id, user_id)^
-- returns: Invitation
-- Note who has accepted an invitation that lock_invitation has locked.
with accepted as (
    update invitations as i set accepted_at = now(), user_id = :user_id where id = :invitation_id
    returning i
)
select r.* from accepted cross join lateral invitation_resource(accepted.i) r;
