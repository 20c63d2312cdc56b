-- Tickets for one stream each. A ticket itself is never stored.

-- name: insert_stream_ticket(hash, token_id, seconds)$
-- Keep a ticket of a token; gives when it expires.
insert into stream_tickets (hash, token_id, expires_at)
values (:hash, :token_id, now() + :seconds * interval '1 second')
returning utc(expires_at);

-- name: get_stream_ticket(hash)^
-- returns: Identity
-- Whose token a ticket stands for, and why that or the ticket does not hold. Empty: there is none, or it was used.
select i.hash, i.token_id, i.user_id, i.name, i.role, i.scopes, i.organizations, i.staffed, i.everywhere, i.limits,
       i.rights, i.expires_at, coalesce(i.refusal, case when t.expires_at <= now() then 'expired' end) as refusal
  from stream_tickets t join identities i using (token_id)
 where t.hash = :hash;

-- name: delete_stream_ticket(hash)$
-- Use up a ticket. Empty: another request has.
delete from stream_tickets where hash = :hash returning true;

-- name: delete_expired_stream_tickets()!
-- Delete the tickets that nobody has used in time.
delete from stream_tickets where expires_at <= now();
