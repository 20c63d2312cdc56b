-- Tickets with which a stream of events is opened by a request that cannot have a token in a header. Each is good once,
-- for some seconds, and stands for the token that it was made with. Only its hash is stored.

create table stream_tickets (
    hash       bytea primary key check (length(hash) = 32),
    token_id   uuid not null references tokens on delete cascade,
    expires_at timestamptz(3) not null
);
