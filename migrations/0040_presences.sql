-- Who looks at a ticket or replies to it right now. It is worth half a minute, so it is in no log and in no backup.
create unlogged table presences (
    ticket   bigint not null,
    user_id  uuid not null,
    activity text not null check (activity in ('viewing', 'replying')),
    seen_at  timestamptz(3) not null default now(),
    primary key (ticket, user_id)
);
