-- Stream passes: each opens one stream. A pass itself is never stored. Their table has the name that they had before.

-- name: insert_stream_pass(hash, token_id, seconds)$
-- Keep a pass of a token; gives when it expires.
insert into stream_tickets (hash, token_id, expires_at)
values (:hash, :token_id, now() + :seconds * interval '1 second')
returning utc(expires_at);

-- name: get_stream_pass(hash)^
-- returns: Identity
-- Whose token a pass stands for, and why that or the pass does not hold. Empty: there is none, or it was used.
select i.hash, i.token_id, i.user_id, i.name, i.role, i.scopes, i.organizations, i.staffed, i.everywhere, i.limits,
       i.rights, i.expires_at, coalesce(i.refusal, case when p.expires_at <= now() then 'expired' end) as refusal,
       i.session
  from stream_tickets p join identities i using (token_id)
 where p.hash = :hash;

-- name: delete_stream_pass(hash)$
-- Use up a pass. Empty: another request has.
delete from stream_tickets where hash = :hash returning true;

-- name: delete_expired_stream_passes()!
-- Delete the passes that nobody has used in time.
delete from stream_tickets where expires_at <= now();
