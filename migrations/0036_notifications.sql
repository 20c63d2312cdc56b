-- Notifications: who is told of an event by mail, once.

alter table mails add column event_id uuid, add column user_id uuid;
create unique index mails_event on mails (event_id, user_id) where event_id is not null;

-- One row: the place in the event log up to which people were told. It moves in the transaction that tells them.
create table notification_place (
    single         boolean primary key default true check (single),
    transaction_id xid8 not null,
    position       bigint not null
);
-- Not before the webhooks' place, which is at the end of the log: of what is over, nobody is told.
insert into notification_place (transaction_id, position) select transaction_id, position from webhook_fan_out;
