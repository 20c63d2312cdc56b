-- Filters: whether what they name is there. Each is asked only if no item of a first page answers that.

-- name: list_hidden(viewer_id, organizations, staffed, everywhere, projects, categories, users)
-- returns: Missing
-- Which of these projects, of these categories in any project, and of these users the viewer does not know: they are
-- neither to be seen, nor does a ticket name them that is the viewer's own or of their organizations.
-- nullable: viewer_id, organizations, staffed
with theirs as not materialized (
    select t.* from tickets t where is_theirs(t, :viewer_id, :organizations)
)
select 'project' as kind, given.key
  from unnest(:projects::text[]) as given (key)
 where not exists (select from projects p where p.key = given.key and may_see(p, :staffed, :everywhere))
   and not exists (select from theirs t where t.project = given.key)
union all
select 'category', given.key
  from unnest(:categories::text[]) as given (key)
 where not exists (select from categories c join projects p on p.key = c.project
                    where c.key = given.key and may_see(p, :staffed, :everywhere))
   and not exists (select from theirs t where t.category = given.key)
union all
select 'user', given.id::text
  from unnest(:users::uuid[]) as given (id)
 where (
    given.id = :viewer_id
    or (:everywhere or cardinality(:staffed::text[]) > 0) and exists (select from users u where u.id = given.id)
    or exists (select from theirs t where t.assignee_id = given.id or t.requester_id = given.id)
    or exists (select from theirs t join comments c on c.ticket = t.number
                where c.author_id = given.id and c.visibility = 'public')) is not true;

-- name: list_people_named(names, emails)
-- returns: PersonNamed
-- Whom these names and e-mail addresses are of, whatever their case.
-- A name is what everybody sees of a user (user_ref), as the index users_shown_name has it.
select given.name as word, u.id, false as by_email
  from unnest(:names::text[]) as given (name)
  join users u on lower(case when u.name = u.email then split_part(u.name, '@', 1) else u.name end) = lower(given.name)
union all
select given.email, u.id, true
  from unnest(:emails::text[]) as given (email)
  join users u on lower(u.email) = lower(given.email);

-- name: list_people_like(parts, by_email, most)
-- returns: PersonNamed
-- Whose names have a word that begins like one of these, or whose e-mail addresses begin so, if they count: staff first.
-- A name is what everybody sees of a user (user_ref), as the index users_name_parts has it.
select given.part as word, u.id, u.by_email
  from unnest(:parts::text[]) as given (part)
 cross join lateral (
    (select u.id, false as by_email
       from users u
      where lower(case when u.name = u.email then split_part(u.name, '@', 1) else u.name end)
            ~ ('\m' || regexp_replace(lower(given.part), '([^[:alnum:][:space:]])', '\\\1', 'g'))
      order by u.role desc, u.id
      limit :most)
     union all
    (select u.id, true
       from users u
      where :by_email and lower(u.email) like regexp_replace(lower(given.part), '([\\%_])', '\\\1', 'g') || '%'
      order by u.role desc, u.id
      limit :most)
 ) u;

-- name: list_unsent(endpoint_ids, event_ids)
-- returns: Missing
-- Which of these endpoints and events are not there: neither in the log, nor in that of deliveries, which may be kept
-- for longer.
select 'webhook endpoint' as kind, given.id::text as key
  from unnest(:endpoint_ids::uuid[]) as given (id)
 where not exists (select from webhook_endpoints w where w.id = given.id)
union all
select 'event', given.id::text
  from unnest(:event_ids::uuid[]) as given (id)
 where not exists (select from events e where e.id = given.id)
   and not exists (select from deliveries d join webhook_endpoints w on w.id = d.endpoint_id
                    where d.event_id = given.id);

-- name: list_unheard(type, queue, types, queues)
-- returns: Missing
-- Which of a type of job and a queue is neither among those that this process knows, nor in any schedule or job.
-- nullable: type, queue
with recursive groups as (
    -- From one combination to the next in the index, so that the cost is not by jobs.
    (select j.kind, j.queue from jobs j order by j.kind, j.queue limit 1)
    union all
    select next.*
      from groups g cross join lateral (
        select j.kind, j.queue from jobs j where (j.kind, j.queue) > (g.kind, g.queue) order by j.kind, j.queue limit 1
      ) next
)
select 'type of job' as kind, :type::text as key
 where :type::text is not null and :type <> all(:types::text[])
   and not exists (select from job_schedules s where s.kind = :type)
   and not exists (select from groups g where g.kind = :type)
union all
select 'queue', :queue::text
 where :queue::text is not null and :queue <> all(:queues::text[])
   and not exists (select from job_schedules s where s.queue = :queue)
   and not exists (select from job_pauses p where p.queue = :queue)
   and not exists (select from groups g where g.queue = :queue);
