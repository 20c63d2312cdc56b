-- Projects: the products that tickets are about.

-- name: insert_project(event_id, idempotency_key, fingerprint, actor_id, key, name, description, visibility, ticket_types, language)^
-- returns: Project
-- Add a project. Empty: the key is taken.
-- nullable: fingerprint, actor_id
with inserted as (
    insert into projects as p (key, name, description, visibility, ticket_types, language)
    select :key, :name, :description, :visibility::visibility, :ticket_types::ticket_type[], :language
     where :idempotency_key::text is null
        or claim_idempotency_key(:actor_id, :idempotency_key, :fingerprint, :event_id)
    returning p
), resource as materialized (
    select r.* from inserted i cross join lateral project_resource(i.p) r
), event as (
    insert into events (id, type, project, actor_id, internal, data)
    select :event_id, 'project.created', key, :actor_id, visibility <> 'public', to_jsonb(resource) from resource
)
select * from resource;

-- name: list_projects(staffed, everywhere, after, page_size)
-- returns: Project
-- A page of the projects that the viewer may see, by key, from after a given one on.
-- nullable: staffed
select r.*
  from projects p cross join lateral project_resource(p) r
 where may_see(p, :staffed, :everywhere) and (:after::text is null or p.key > :after)
 order by p.key
 limit :page_size;

-- name: get_project(key, staffed, everywhere)^
-- returns: Project
-- One project, if the viewer may see it.
-- nullable: staffed
select r.*
  from projects p cross join lateral project_resource(p) r
 where p.key = :key and may_see(p, :staffed, :everywhere);

-- name: lock_project(key)^
-- returns: Project
-- One project, locked until the transaction ends.
select r.* from projects p cross join lateral project_resource(p) r where p.key = :key for no key update of p;

-- name: update_project(event_id, actor_id, key, name, description, visibility, ticket_types, language, archived, previous)^
-- returns: Project
-- Write the fields of a project that lock_project has locked.
with updated as (
    update projects as p
       set name = :name, description = :description, visibility = :visibility::visibility,
           ticket_types = :ticket_types::ticket_type[], language = :language, archived = :archived,
           updated_at = clock_timestamp()
     where key = :key
    returning p
), resource as materialized (
    select r.* from updated cross join lateral project_resource(updated.p) r
), event as (
    insert into events (id, type, project, actor_id, internal, data, previous, staff, staff_previous)
    -- Those who saw it are told of the change that hides it as well. What it is like while it is private is for staff.
    select :event_id, 'project.updated', key, :actor_id,
           'public' not in (visibility::text, coalesce(:previous::jsonb ->> 'visibility', '')),
           case when changed.hides then to_jsonb(resource) || (:previous::jsonb - 'visibility')
                else to_jsonb(resource) end,
           case when changed.before is null then :previous::jsonb
                else jsonb_build_object('visibility', changed.before) end,
           case when changed.hides then to_jsonb(resource) end,
           case when changed.before is not null then :previous::jsonb end
      from resource
     cross join (select :previous::jsonb -> 'visibility' as before,
                        :previous::jsonb ->> 'visibility' = 'public' as hides) changed
)
select * from resource;

-- name: list_unknown_projects(keys)
-- returns: UnknownProject
-- Those of these keys that are no project's, and where they stand among them, from 0.
select given.key, given.place - 1 as place
  from unnest(:keys::text[]) with ordinality as given (key, place)
 where not exists (select from projects p where p.key = given.key)
 order by given.place;
