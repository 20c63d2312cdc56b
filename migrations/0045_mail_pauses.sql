-- Whoever is sent many mails about events within an hour is sent a last one, which says so, and no more for an hour.
alter table mails add column pausing boolean not null default false;
create index mails_user on mails (user_id, created_at) where event_id is not null;
