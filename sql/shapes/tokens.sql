-- Tokens, without their secret.

-- The contract's Token.
create or replace function token_resource(t tokens)
returns table (id uuid, name text, prefix text, scopes text[], created_by_token uuid, created_at text, expires_at text,
               last_used_at text, revoked_at text)
language sql stable rows 1 begin atomic
    select t.id, t.name, t.prefix, t.scopes, t.created_by_token, utc(t.created_at), utc(t.expires_at),
           utc(t.last_used_at), utc(t.revoked_at);
end;
