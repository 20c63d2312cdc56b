-- What the events of a ticket are ordered by. Readers see it, so it is not a place in the log, of which two would tell
-- how much happened between them that a reader may not know of.

alter table events add column sequence bigint;
-- Set by itself: as the default of a new column it would be computed for each old event, and rewrite the table.
alter table events alter column sequence set default (extract(epoch from clock_timestamp()) * 1000000)::bigint;

create function number_event() returns trigger language plpgsql as $$
begin
    new.sequence := greatest(new.sequence, 1 + (select e.sequence from events e
                                                 where e.ticket = new.ticket order by e.position desc limit 1));
    return new;
end;
$$;
create trigger number_event before insert on events for each row
    when (new.ticket is not null and new.type <> 'ticket.created') execute function number_event();
