-- Who may read an event is the inverse of who may see what it is about (may_see): by name.

-- `everyone`; a requester's id; `organization:<key>`, who sees its tickets; `project:<key>`, who staffs that project;
-- `staff` of all projects; `agent`, staff of any; `user:<id>`, whoever the event is about; `admin`, whose token has that
-- scope. And who has to be told that what it is about is gone for them, as it was this event that took it from them.
-- tests/api/test_event_types.py holds it to the predicate.
-- Processes of the release before this one call everyone `requester`, agents `staff`, and a user by their id alone.
create or replace function event_readers(e events) returns table (seen_by text[], missed_by text[])
language sql stable rows 1 begin atomic
    select array_remove(
               case declared.readers
                   when 'ticket' then
                       array['staff', 'project:' || coalesce(t.project, e.project)]
                       || case when not event_is_internal(e) then
                              array[t.requester_id::text, 'organization:' || t.organization,
                                    case when t.visibility = 'public' and t.project = any(array(table public_projects))
                                         then 'everyone' end]
                          end
                   when 'project' then
                       array['staff', 'project:' || e.project]
                       -- Others see what a project is like while it is public, not what it was like before.
                       || case when not event_is_internal(e) and coalesce(e.data ->> 'visibility', 'public') = 'public'
                                    and e.project = any(array(table public_projects))
                               then array['everyone', 'requester'] end
                   when 'user' then array['user:' || (e.data ->> 'id'), 'agent', 'staff']
                   when 'token' then
                       array(select unnest(array['user:' || k.user_id, k.user_id::text])
                               from tokens k where k.id = (e.data ->> 'id')::uuid)
                       || array['admin']
                   when 'admin' then array['admin']
                   else '{}'
               end, null),
           array_remove(
               case
                   when event_is_internal(e) then '{}'
                   when declared.readers = 'ticket' then
                       array[e.previous #>> '{requester,id}', 'organization:' || (e.previous ->> 'organization'),
                             'project:' || (e.previous ->> 'project'),
                             case when e.previous ->> 'visibility' = 'public' then 'everyone' end]
                   when declared.readers = 'project' and e.previous ->> 'visibility' = 'public'
                       then array['everyone', 'requester']
                   else '{}'
               end, null)
      from (select) as one
      left join event_types declared on declared.type = e.type
      left join tickets t on t.number = e.ticket;
end;
