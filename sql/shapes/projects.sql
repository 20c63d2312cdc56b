-- Projects, as the contract shows them.

-- The contract's Project.
create or replace function project_resource(p projects)
returns table (key text, name text, description text, visibility visibility, ticket_types text[], language text, archived boolean,
               created_at text, updated_at text)
language sql stable rows 1 begin atomic
    select p.key, p.name, p.description, p.visibility, p.ticket_types::text[], p.language, p.archived,
           utc(p.created_at), utc(p.updated_at);
end;
