-- Categories: the parts of a project.

-- name: insert_category(event_id, idempotency_key, fingerprint, actor_id, project, key, name, description)^
-- returns: Category
-- Add a category to a project. Empty: there is no such project, or the key is taken.
-- nullable: fingerprint, actor_id
with place as materialized (
    select p.key as project from projects p where p.key = :project
), claimed as materialized (
    select * from place
     where :idempotency_key::text is null
        or claim_idempotency_key(:actor_id, :idempotency_key, :fingerprint, :event_id)
), inserted as (
    insert into categories as c (project, key, name, description)
    select project, :key, :name, :description from claimed
    returning c
), resource as materialized (
    select r.* from inserted i cross join lateral category_resource(i.c) r
), event as (
    insert into events (id, type, project, actor_id, audience, data)
    select :event_id, 'category.created', project, :actor_id,
           case p.visibility when 'public' then 'public'::comment_visibility else 'internal' end, to_jsonb(resource)
      from resource join projects p on p.key = resource.project
)
select * from resource;

-- name: list_categories(project, after, page_size)
-- returns: Category
-- A page of a project's categories, by key, from after a given one on.
select r.*
  from categories c cross join lateral category_resource(c) r
 where c.project = :project and (:after::text is null or c.key > :after)
 order by c.key
 limit :page_size;

-- name: get_category(project, key, staff)^
-- returns: Category
-- One category, if the viewer may see its project.
select r.*
  from categories c
  join projects p on p.key = c.project
 cross join lateral category_resource(c) r
 where c.project = :project and c.key = :key and (:staff or p.visibility = 'public');

-- name: take_category(project, key)^
-- returns: Category
-- One category, locked until the transaction ends.
select r.*
  from categories c cross join lateral category_resource(c) r
 where c.project = :project and c.key = :key
   for no key update of c;

-- name: update_category(event_id, actor_id, project, key, name, description, archived, previous)^
-- returns: Category
-- Write the fields of a category that take_category has locked.
with updated as (
    update categories as c
       set name = :name, description = :description, archived = :archived, updated_at = clock_timestamp()
     where project = :project and key = :key
    returning c
), resource as materialized (
    select r.* from updated cross join lateral category_resource(updated.c) r
), event as (
    insert into events (id, type, project, actor_id, audience, data, previous)
    select :event_id, 'category.updated', project, :actor_id,
           case p.visibility when 'public' then 'public'::comment_visibility else 'internal' end, to_jsonb(resource), :previous
      from resource join projects p on p.key = resource.project
)
select * from resource;
