-- What a key answers, where that is not the data of the event that it caused: a change of many tickets tells of each.
alter table idempotency_keys add column answer jsonb;
