-- Browser sessions are tokens, too: what a user signs in with, ended by the same things. An API token has none of these.
alter table tokens
    -- How long a session lasts that is not used; null says that this is an API token.
    add column idle     interval,
    -- What it was begun with, as far as the browser says, and from where.
    add column browser  text,
    add column platform text,
    add column address  text;
