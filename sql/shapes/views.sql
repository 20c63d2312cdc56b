-- Views, as the contract shows them, and who sees which.

-- The contract's View. What comes with the service is made in Python, and has a `preset` other than `none`.
create or replace function view_resource(v views)
returns table (id uuid, preset text, name text, q text, columns text[], visibility text, owner jsonb,
               created_at text, updated_at text)
language sql stable rows 1 begin atomic
    select v.id, 'none', v.name, v.q, v.columns, v.visibility::text,
           (select user_ref(u) from users u where u.id = v.owner_id), utc(v.created_at), utc(v.updated_at);
end;

-- The one predicate for views. A shared one is its owner's no more than anybody's: who is not staff does not see it.
create or replace function may_see(v views, viewer uuid, is_staff boolean) returns boolean language sql stable
return case when v.visibility = 'shared' then is_staff else v.owner_id = viewer end;
