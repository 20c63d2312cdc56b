-- What an event tells staff alone is in columns of its own, so that what is shown to others cannot hold it.

-- `data` and `previous` are for whoever may read the event; these are what staff see besides, or instead. Null: nothing.
alter table events add column staff jsonb, add column staff_previous jsonb;
-- The message for endpoints with `include_internal`, if it is another one.
alter table webhook_messages add column internal_body text;
