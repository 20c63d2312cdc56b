-- transaction: none
-- Tickets of before get an id, a thousand in a transaction, so that nobody who changes one waits.

do $$
declare
    low  bigint := 0;
    high bigint;
begin
    loop
        select max(number) into high
          from (select number from tickets where number > low order by number limit 1000) page;
        exit when high is null;
        update tickets
           set id = encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
                   placing substring(int8send((extract(epoch from created_at) * 1000)::bigint) from 3) from 1 for 6),
                   52, 1), 53, 1), 'hex')::uuid
         where number > low and number <= high and id is null;
        commit;
        low := high;
    end loop;
end;
$$;

create unique index concurrently if not exists tickets_id on tickets (id);
