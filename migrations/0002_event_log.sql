-- The event log can be read on from any place without losing what commits late.
--
-- A sequence counts in the order in which rows are written, not in which they commit: a reader that remembers the
-- largest position passes over the event of a slower transaction for ever. So the log is in the order of transactions,
-- and ends before the oldest one that still runs: every transaction below it has ended, every later one will be above.

alter table events
    add column transaction_id xid8 not null default pg_current_xact_id(),
    drop constraint events_position_key;
create unique index events_log on events (transaction_id, position);

-- The log from after a given place on, as far as it is settled: nothing will ever be added before what it gives.
create function events_after(after_transaction xid8, after_position bigint)
returns setof events language sql stable begin atomic
    select *
      from events e
     where (e.transaction_id, e.position) > (after_transaction, after_position)
       and e.transaction_id < pg_snapshot_xmin(pg_current_snapshot());
end;
