-- Sign-in codes: mailed to an address, and used once by whoever reads its mail.

-- name: lock_sign_in_codes(email, network, site)$
-- Wait until nobody else asks for a code for this address, or from this network, until the transaction ends.
-- nullable: site
select true
  from pg_advisory_xact_lock(hashtextextended('sign-in code for ' || lower(:email), 0)) as address,
       pg_advisory_xact_lock(hashtextextended('sign-in code from ' || coalesce(:site, :network), 0)) as network;

-- name: get_sign_in_wait(email, network, site, for_address, for_address_from_network, for_address_from_site, from_network, from_site)$
-- Seconds until another code may be asked for; null if there were fewer in the last hour.
-- nullable: site
select ceil(extract(epoch from greatest(
           (select created_at from sign_in_codes
             where lower(email) = lower(:email) and created_at > clock_timestamp() - interval '1 hour'
             order by created_at desc offset :for_address::integer - 1 limit 1),
           (select created_at from sign_in_codes
             where lower(email) = lower(:email) and network = :network
               and created_at > clock_timestamp() - interval '1 hour'
             order by created_at desc offset :for_address_from_network::integer - 1 limit 1),
           (select created_at from sign_in_codes
             where lower(email) = lower(:email) and site = :site::text
               and created_at > clock_timestamp() - interval '1 hour'
             order by created_at desc offset :for_address_from_site::integer - 1 limit 1),
           (select created_at from sign_in_codes
             where network = :network and created_at > clock_timestamp() - interval '1 hour'
             order by created_at desc offset :from_network::integer - 1 limit 1),
           (select created_at from sign_in_codes
             where site = :site::text and created_at > clock_timestamp() - interval '1 hour'
             order by created_at desc offset :from_site::integer - 1 limit 1))
       + interval '1 hour' - clock_timestamp()))::integer;

-- name: insert_sign_in_code(hash, code_hash, link_hash, email, network, site, newcomer, newcomers, expires_at)$
-- Keep a code for an address, as long as it holds. Gives whether it may be mailed: `newcomers` is the most an hour.
-- Some that ask in the very same moment may be more than that; a lock would have all wait for each other.
-- nullable: site
insert into sign_in_codes (hash, code_hash, link_hash, email, network, site, newcomer, expires_at)
select :hash, :code_hash, :link_hash, :email, :network, :site, :newcomer::boolean and mailed.number < :newcomers::integer,
       :expires_at
  from (select count(*) as number
          from (select from sign_in_codes
                 where newcomer and created_at > clock_timestamp() - interval '1 hour'
                 limit :newcomers::integer) one) mailed
returning newcomer or not :newcomer::boolean;

-- name: get_addressee(email)^
-- returns: Addressee
-- Who has an address of mail, whatever its case, and what they are to be written.
select u.id, u.name, u.email, u.locale, u.active and not u.service_account as may_sign_in
  from users u where lower(u.email) = lower(:email);

-- name: lock_sign_in_guesses(hash, attempts)!
-- If this code can be tried, wait until nobody else tries one of the same address, until the transaction ends.
select pg_advisory_xact_lock(hashtextextended('sign-in guess for ' || lower(email), 0))
  from sign_in_codes
 where hash = :hash and used_at is null and attempts < :attempts and expires_at > clock_timestamp();

-- name: try_sign_in_code(hash, code_hash, attempts, for_address)^
-- returns: TriedCode
-- Try a code, which counts; the right one is used by that. Empty: there is none that can be tried, or all codes of its
-- address together were tried too often within an hour.
update sign_in_codes c
   set attempts = attempts + 1, used_at = case when code_hash = :code_hash then clock_timestamp() end
 where hash = :hash and used_at is null and attempts < :attempts and expires_at > clock_timestamp()
   and (select sum(o.attempts) from sign_in_codes o
         where lower(o.email) = lower(c.email) and o.created_at > clock_timestamp() - interval '1 hour')
       < :for_address::integer
returning email, used_at is not null as is_right;

-- name: use_sign_in_link(hash, link_hash)$
-- Use a code by the secret of its link, however often its digits were tried; gives its address. Others wait.
update sign_in_codes
   set used_at = clock_timestamp()
 where hash = :hash and link_hash = :link_hash and used_at is null and expires_at > clock_timestamp()
returning email;

-- name: delete_old_sign_in_codes()!
-- Delete the codes that count for no limit any more.
delete from sign_in_codes where created_at < now() - interval '1 hour' and expires_at < now();
