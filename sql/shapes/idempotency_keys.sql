-- Idempotency keys: which request holds a key.

-- Takes a key for one request, or takes it over once it is 24 hours old; false if another request holds it.
-- A second request with the key waits here until the first has committed or rolled back.
-- PL/pgSQL keeps the plan; an SQL function would be planned at each call.
create or replace function claim_idempotency_key(claimant uuid, claimed text, request bytea, event uuid)
returns boolean language plpgsql volatile as $$
begin
    insert into idempotency_keys as k (user_id, key, fingerprint, event_id)
    values (claimant, claimed, request, event)
    on conflict (user_id, key) do update
       set fingerprint = excluded.fingerprint, event_id = excluded.event_id, answer = null, created_at = now()
     where k.created_at < now() - interval '24 hours';
    return found;
end;
$$;
