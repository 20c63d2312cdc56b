-- Idempotency keys: claim_idempotency_key takes one, inside the statement of the write itself or first in its transaction.

-- name: claim_key(actor_id, idempotency_key, fingerprint, event_id)$
-- Take a key for a request, ahead of what it changes in this transaction. False: the key was used.
-- nullable: actor_id
select claim_idempotency_key(:actor_id, :idempotency_key, :fingerprint, :event_id);

-- name: release_key(user_id, key, event_id)!
-- Give back a key that this transaction has taken, as there was nothing to change.
-- nullable: user_id
delete from idempotency_keys where user_id = :user_id and key = :key and event_id = :event_id;

-- name: keep_answer(user_id, key, event_id, answer)!
-- Keep the answer of a key that this transaction has taken, where it is not the data of an event.
-- nullable: user_id
update idempotency_keys set answer = :answer where user_id = :user_id and key = :key and event_id = :event_id;

-- name: get_idempotency_key(user_id, key)^
-- returns: IdempotencyKey
-- What a key was used for, and the answer that request got (null once its event is gone); what of it is for staff.
select k.fingerprint, k.event_id, coalesce(k.answer, parts.data) as answer,
       case when k.answer is null then parts.staff end as staff, e.project
  from idempotency_keys k left join events e on e.id = k.event_id
  left join lateral event_parts(e) parts on true
 where k.user_id = :user_id and k.key = :key and k.created_at >= now() - interval '24 hours';

-- name: delete_expired_idempotency_keys(batch)!
-- Delete some of the keys that nobody can use any more. A key that is just being used anew is not one of them: so its
-- age is looked at again when it is deleted.
delete from idempotency_keys
 where (user_id, key) in (select user_id, key from idempotency_keys
                           where created_at < now() - interval '24 hours'
                           limit :batch)
   and created_at < now() - interval '24 hours';
