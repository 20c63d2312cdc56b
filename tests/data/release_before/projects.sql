-- Projects: the products that tickets are about.

-- name: insert_project(event_id, idempotency_key, fingerprint, actor_id, key, name, description, visibility, ticket_types)^
-- returns: Project
-- Add a project. Empty: the key is taken.
-- nullable: fingerprint, actor_id
with inserted as (
    insert into projects as p (key, name, description, visibility, ticket_types)
    select :key, :name, :description, :visibility::visibility, :ticket_types::ticket_type[]
     where :idempotency_key::text is null
        or claim_idempotency_key(:actor_id, :idempotency_key, :fingerprint, :event_id)
    returning p
), resource as materialized (
    select r.* from inserted i cross join lateral project_resource(i.p) r
), event as (
    insert into events (id, type, project, actor_id, audience, data)
    select :event_id, 'project.created', key, :actor_id,
           case visibility when 'public' then 'public'::comment_visibility else 'internal' end, to_jsonb(resource)
      from resource
)
select * from resource;

-- name: list_projects(staff, after, page_size)
-- returns: Project
-- A page of the projects that the viewer may see, by key, from after a given one on.
select r.*
  from projects p cross join lateral project_resource(p) r
 where (:staff or p.visibility = 'public') and (:after::text is null or p.key > :after)
 order by p.key
 limit :page_size;

-- name: get_project(key, staff)^
-- returns: Project
-- One project, if the viewer may see it.
select r.*
  from projects p cross join lateral project_resource(p) r
 where p.key = :key and (:staff or p.visibility = 'public');

-- name: take_project(key)^
-- returns: Project
-- One project, locked until the transaction ends.
select r.* from projects p cross join lateral project_resource(p) r where p.key = :key for no key update of p;

-- name: update_project(event_id, actor_id, key, name, description, visibility, ticket_types, archived, previous)^
-- returns: Project
-- Write the fields of a project that take_project has locked.
with updated as (
    update projects as p
       set name = :name, description = :description, visibility = :visibility::visibility,
           ticket_types = :ticket_types::ticket_type[], archived = :archived, updated_at = clock_timestamp()
     where key = :key
    returning p
), resource as materialized (
    select r.* from updated cross join lateral project_resource(updated.p) r
), event as (
    insert into events (id, type, project, actor_id, audience, data, previous)
    -- Those who saw it are told of the change that hides it as well.
    select :event_id, 'project.updated', key, :actor_id,
           case when 'public' in (visibility::text, :previous::jsonb ->> 'visibility')
                then 'public'::comment_visibility else 'internal' end,
           to_jsonb(resource), :previous
      from resource
)
select * from resource;
