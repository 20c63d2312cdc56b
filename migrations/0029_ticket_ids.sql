-- Tickets have an id that stays when numbers would change: a UUIDv7 (RFC 9562), which PostgreSQL makes itself from 18 on.
-- To add the column with its default would rewrite the table; so only new tickets have an id for now.

alter table tickets add column id uuid;
alter table tickets alter column id set default encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
    52, 1), 53, 1), 'hex')::uuid;
