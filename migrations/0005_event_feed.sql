-- The feed: who may read which event, how long events are kept, and what survives a move to another server.

-- An import writes today what happened years ago; how long an event is kept goes by this.
drop function events_after(xid8, bigint);
alter table events add column recorded_at timestamptz(3) not null default now();

-- One row: what holds for the log as a whole.
create table event_log (
    only_row            boolean primary key default true check (only_row),
    -- Seals cursors: a place in the log tells how much happens that its reader may not see.
    key                 bytea not null default uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()),
    -- Events up to this place may be gone; whoever has not read that far has missed some.
    expired_transaction xid8 not null default '0',
    expired_position    bigint not null default 0,
    -- What log_id adds, and the last transaction that the log had when it began to: see mend_event_log.
    added               bigint not null default 0,
    added_after         xid8 not null default '0'
);
insert into event_log default values;

-- What the log calls one of the server's transactions.
create function log_id(id xid8) returns xid8 language sql stable return id;

alter table events alter column transaction_id set default log_id(pg_current_xact_id());

-- The end of the settled log: every transaction before this one has ended, every later one will be above.
create function log_end() returns xid8 language sql stable return log_id(pg_snapshot_xmin(pg_current_snapshot()));

-- The log from after a given place on, as far as it is settled: nothing will ever be added before what it gives.
create function events_after(after_transaction xid8, after_position bigint)
returns setof events language sql stable begin atomic
    select *
      from events e
     where (e.transaction_id, e.position) > (after_transaction, after_position)
       and e.transaction_id < log_end();
end;

-- A database that was dumped and restored has events of transactions that its new server has yet to count up to: they
-- are not settled for it, and what is written now would come before them.
create function event_log_is_ahead() returns boolean language sql stable
return exists (select from events where transaction_id >= log_id(pg_snapshot_xmax(pg_current_snapshot())));

-- Has log_id count on from above all that is there, in steps so large that no place before one can be after it. Places
-- in the log, such as readers hold, stay what they are. False: there was nothing to mend.
create function mend_event_log() returns boolean language plpgsql as $$
declare
    step   constant bigint := 2 ^ 44;
    log    event_log;
    latest events;
    base   bigint;
begin
    lock table events in share row exclusive mode;
    if not event_log_is_ahead() then
        return false;
    end if;
    select * into strict log from event_log for update;
    select * into strict latest from events order by transaction_id desc, position desc limit 1;
    base := (latest.transaction_id::text::bigint / step + 1) * step;
    -- What a service that was started too soon has written since the restore comes last, as it happened last.
    update events
       set transaction_id = (transaction_id::text::bigint - log.added + base)::text::xid8
     where position > latest.position
       and transaction_id < log_id(pg_snapshot_xmax(pg_current_snapshot()));
    update event_log set added = base, added_after = latest.transaction_id;
    execute format(
        'create or replace function log_id(id xid8) returns xid8 language sql stable
         return (id::text::bigint + %s)::text::xid8', base);
    return true;
end;
$$;

-- Who may read an event: `staff`, `admin`, `requester` (all of them), or a user's id. And who has to be told that what
-- it is about is gone for them, as it was this event that took it from them.
-- This is visible_tickets the other way round; tests/test_feed.py holds the two together.
create function event_readers(e events) returns table (seen_by text[], missed_by text[])
language sql stable rows 1 begin atomic
    select case
               when e.type like 'token.%' then
                   array(select t.user_id::text from tokens t where t.id = (e.data ->> 'id')::uuid)
               when e.type like 'webhook.%' then array['admin']
               when e.audience = 'internal' then array['staff']
               when e.ticket is not null then
                   array(select t.requester_id::text from tickets t where t.number = e.ticket) || array['staff']
               -- Of a project they see what it is like while it is public, not what it was like before.
               when coalesce(e.data ->> 'visibility', 'public') = 'public' then
                   array(select 'requester' from projects p where p.key = e.project and p.visibility = 'public')
                       || array['staff']
               else array['staff']
           end,
           case
               when e.audience = 'internal' then '{}'
               when e.previous ? 'requester' then array[e.previous #>> '{requester,id}']
               when e.ticket is null and e.previous ->> 'visibility' = 'public' then array['requester']
               else '{}'
           end;
end;
