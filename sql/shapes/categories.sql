-- Categories, as the contract shows them.

-- The contract's Category.
create or replace function category_resource(c categories)
returns table (project text, key text, name text, description text, archived boolean, created_at text, updated_at text)
language sql stable rows 1 begin atomic
    select c.project, c.key, c.name, c.description, c.archived, utc(c.created_at), utc(c.updated_at);
end;
