-- Filters: whether what they name is there. Each is asked only if no item of a first page answers that.

-- name: list_hidden(viewer_id, staff, projects, categories, users)
-- returns: Missing
-- Which of these projects, of these categories in any project, and of these users the viewer does not know: they are
-- neither to be seen, nor does one of the viewer's own tickets name them.
with known as materialized (
    select p.key
      from projects p
     where :staff or p.visibility = 'public'
        or exists (select from tickets t where t.requester_id = :viewer_id and t.project = p.key)
)
select 'project' as kind, given.key
  from unnest(:projects::text[]) as given (key)
 where not exists (select from known k where k.key = given.key)
union all
select 'category', given.key
  from unnest(:categories::text[]) as given (key)
 where not exists (select from categories c join projects p on p.key = c.project
                    where c.key = given.key and (:staff or p.visibility = 'public'))
   and not exists (select from tickets t where t.requester_id = :viewer_id and t.category = given.key)
union all
select 'user', given.id::text
  from unnest(:users::uuid[]) as given (id)
 where not (
    given.id = :viewer_id
    or :staff and exists (select from users u where u.id = given.id)
    or exists (select from tickets t where t.requester_id = :viewer_id and t.assignee_id = given.id)
    or exists (select from tickets t join comments c on c.ticket = t.number
                where t.requester_id = :viewer_id and c.author_id = given.id and c.visibility = 'public'));

-- name: list_unsent(endpoint_id, event_id)
-- returns: Missing
-- Which of an endpoint and an event is not there: neither in the log, nor in that of deliveries, which may be kept for
-- longer.
-- nullable: endpoint_id, event_id
select 'webhook endpoint' as kind, :endpoint_id::uuid::text as key
 where :endpoint_id::uuid is not null and not exists (select from webhook_endpoints w where w.id = :endpoint_id)
union all
select 'event', :event_id::uuid::text
 where :event_id::uuid is not null
   and not exists (select from events e where e.id = :event_id)
   and not exists (select from deliveries d join webhook_endpoints w on w.id = d.endpoint_id
                    where d.event_id = :event_id);

-- name: list_unheard(kind, queue, kinds, queues)
-- returns: Missing
-- Which of a kind of jobs and a queue is neither among those that this process knows, nor in any schedule or job.
-- nullable: kind, queue
select 'kind of jobs' as kind, :kind::text as key
 where :kind::text is not null and :kind <> all(:kinds::text[])
   and not exists (select from job_schedules s where s.kind = :kind)
   and not exists (select from jobs j where j.kind = :kind)
union all
select 'queue', :queue::text
 where :queue::text is not null and :queue <> all(:queues::text[])
   and not exists (select from job_schedules s where s.queue = :queue)
   and not exists (select from job_pauses p where p.queue = :queue)
   and not exists (select from jobs j where j.queue = :queue);
