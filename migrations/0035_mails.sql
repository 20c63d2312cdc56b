-- Mail: what was sent to whom, or waits to be, or was captured because there is no server to send it.

create type mail_status as enum ('pending', 'sent', 'failed', 'captured');

create table mails (
    id            uuid primary key,
    template      text not null,
    locale        text not null,
    to_name       text not null,
    to_email      text not null,
    subject       text not null,
    body          text,                     -- both bodies are erased once nobody needs them any more
    html_body     text,
    thread        text,                     -- mails of one thread stand together in a mailbox
    unsubscribe   text,                     -- the URL where the person says what they want to be sent
    status        mail_status not null,
    attempt_count integer not null default 0,
    error         text,
    expires_at    timestamptz(3),           -- after which it is of no use
    created_at    timestamptz(3) not null default clock_timestamp(),
    settled_at    timestamptz(3),
    check ((status = 'pending') = (settled_at is null)),
    check ((body is null) = (html_body is null)),
    check (status in ('pending', 'captured') = (body is not null))
);
create index mails_status on mails (status, id);
create index mails_template on mails (template, id);
create index mails_to on mails (lower(to_email), id);
create index mails_created on mails (created_at);
