-- Idempotency keys: claim_idempotency_key (migrations/0001) takes one inside the statement of the write itself.

-- name: get_idempotency_key(user_id, key)^
-- returns: IdempotencyKey
-- What a key was used for, and the answer that request got (null once its event is gone).
select k.fingerprint, k.event_id, (select e.data from events e where e.id = k.event_id) as answer
  from idempotency_keys k
 where k.user_id = :user_id and k.key = :key and k.created_at >= now() - interval '24 hours';

-- name: delete_expired_idempotency_keys(batch)!
-- Delete some of the keys that nobody can use any more. A key that is just being used anew is not one of them: so its
-- age is looked at again when it is deleted.
delete from idempotency_keys
 where (user_id, key) in (select user_id, key from idempotency_keys
                           where created_at < now() - interval '24 hours'
                           limit :batch)
   and created_at < now() - interval '24 hours';
