-- Tokens end with what they were given for and are known by what they were made with; and an admin is always left.

-- Which token a token was made with: whoever stole that one may have made this one.
alter table tokens add column created_by_token uuid references tokens;
create index tokens_created_by on tokens (created_by_token) where created_by_token is not null;

drop function token_resource(tokens);
create function token_resource(t tokens)
returns table (id uuid, name text, prefix text, scopes text[], created_by_token uuid, created_at text, expires_at text,
               last_used_at text, revoked_at text)
language sql stable rows 1 begin atomic
    select t.id, t.name, t.prefix, t.scopes::text[], t.created_by_token, utc(t.created_at), utc(t.expires_at),
           utc(t.last_used_at), utc(t.revoked_at);
end;

-- The secret of a token, for as long as the request that made it may be repeated. It opens with the token that asked
-- and the Idempotency-Key (tokens.py), so that what is here is of no use by itself.
create table sealed_tokens (
    event_id   uuid primary key,
    sealed     bytea not null,
    created_at timestamptz not null default now()
);

-- The tokens of users who are not active have ended. Otherwise they would work again if the user were reactivated.
with revoked as (
    update tokens as t set revoked_at = now()
      from users u
     where u.id = t.user_id and not u.active and t.revoked_at is null
       and (t.expires_at is null or t.expires_at > now())
    returning t
)
insert into events (id, type, audience, data, previous)
select new_job_id(), 'token.revoked', 'internal', to_jsonb(r), '{"revoked_at": null}'
  from revoked cross join lateral token_resource(revoked.t) r;

-- Without an admin nobody can make one by the API. Two who take each other's rights away at once do so in turn here,
-- and the second finds that there is nobody else.
create function keep_an_admin() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('users.admins', 0));
    if not exists (select from users where role = 'admin' and active and id <> old.id) then
        raise check_violation using constraint = 'an_admin_is_left', table = 'users',
                                    message = 'this is the last active admin';
    end if;
    return new;
end;
$$;
create trigger keep_an_admin before update of role, active on users for each row
when (old.role = 'admin' and old.active and not (new.role = 'admin' and new.active))
execute function keep_an_admin();
