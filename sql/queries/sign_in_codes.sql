-- Sign-in codes: mailed to an address, and used once by whoever reads its mail.

-- name: lock_sign_in_codes(email, network)$
-- Wait until nobody else asks for a code for this address, or from this network, until the transaction ends.
select true
  from pg_advisory_xact_lock(hashtextextended('sign-in code for ' || lower(:email), 0)) as address,
       pg_advisory_xact_lock(hashtextextended('sign-in code from ' || :network, 0)) as network;

-- name: get_sign_in_wait(email, network, for_address, from_network)$
-- Seconds until another code may be asked for; null if there were fewer in the last hour.
select ceil(extract(epoch from greatest(
           (select created_at from sign_in_codes
             where lower(email) = lower(:email) and created_at > clock_timestamp() - interval '1 hour'
             order by created_at desc offset :for_address::integer - 1 limit 1),
           (select created_at from sign_in_codes
             where network = :network and created_at > clock_timestamp() - interval '1 hour'
             order by created_at desc offset :from_network::integer - 1 limit 1))
       + interval '1 hour' - clock_timestamp()))::integer;

-- name: insert_sign_in_code(hash, code_hash, email, network, expires_at)!
-- Keep a code for an address, as long as it holds.
insert into sign_in_codes (hash, code_hash, email, network, expires_at)
values (:hash, :code_hash, :email, :network, :expires_at);

-- name: get_addressee(email)^
-- returns: Addressee
-- Who has an address of mail, whatever its case, and what they are to be written.
select u.id, u.name, u.email, u.locale, u.active and not u.service_account as may_sign_in
  from users u where lower(u.email) = lower(:email);

-- name: try_sign_in_code(hash, code_hash, attempts)^
-- returns: TriedCode
-- Try a code, which counts; the right one is used by that. Empty: there is none that can be tried. Others wait.
update sign_in_codes
   set attempts = attempts + 1, used_at = case when code_hash = :code_hash then clock_timestamp() end
 where hash = :hash and used_at is null and attempts < :attempts and expires_at > clock_timestamp()
returning email, used_at is not null as is_right;

-- name: delete_old_sign_in_codes()!
-- Delete the codes that count for no limit any more.
delete from sign_in_codes where created_at < now() - interval '1 hour' and expires_at < now();
