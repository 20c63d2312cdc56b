-- What people choose for themselves: the language and time zone of pages and mail, and which mail they get.
-- Empty text leaves it to their browser.

alter table users
    add column locale           text    not null default '',
    add column time_zone        text    not null default '',
    add column mail_replies     boolean not null default true,
    add column mail_resolutions boolean not null default true,
    add column mail_assignments boolean not null default true;
