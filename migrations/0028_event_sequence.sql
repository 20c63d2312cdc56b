-- What the events of a ticket are ordered by. Readers see it, so it is not a place in the log, of which two would tell
-- how much happened between them that a reader may not know of.

create sequence event_sequence;

create function next_event_sequence() returns bigint language plpgsql as $$
declare
    next constant bigint := nextval('event_sequence');
    now  constant bigint := extract(epoch from clock_timestamp()) * 1000000;
begin
    return case when now > next then setval('event_sequence', now) else next end;
end;
$$;

alter table events add column sequence bigint;
-- Set by itself: as the default of a new column it would be computed for each old event, and rewrite the table.
alter table events alter column sequence set default next_event_sequence();
