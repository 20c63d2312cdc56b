-- Notifications: from the event log to mails.

-- name: has_events_to_notify_of()$
-- Whether the settled log goes on. Asked before the place in the log is locked, which makes a transaction that writes.
select exists (
    select
      from notification_place f cross join lateral (
        select from events_after(f.transaction_id, f.position) e order by e.transaction_id, e.position limit 1
      ) next);

-- name: lock_notifications(page_size)^
-- returns: NotificationPage
-- Where the next page of the log ends, and whether it goes on; the place is locked. Empty: another worker is at it, or
-- there is nothing to read.
select page.transaction_id::text as transaction_id, page.position, page.more
  from (select * from notification_place for update skip locked) f
 cross join lateral log_page(f.transaction_id, f.position, :page_size, null) page;

-- name: list_notifications(transaction_id, position, page_size)
-- returns: Notification
-- Whom to tell of what, from that place up to this one: of a public reply the ticket's requester and its assignee, of a
-- resolution its requester, and of an assignment its assignee. Nobody is told of what they did themselves, what is for
-- staff alone, what was imported, or what has changed since; nor is an assignee who may not see the ticket any more.
-- Somebody who is both requester and assignee is told as its requester.
select distinct on (e.transaction_id, e.position, u.id)
       e.id as event_id, told.template, told.assigned, u.id as user_id, u.name, u.email, u.locale, t.number, t.title,
       t.resolution, t.resolution_note,
       case told.template when 'reply' then c.body when 'assignment' then t.description end as body,
       (select user_ref(a) ->> 'name' from users a where a.id = e.actor_id) as actor
  from (select * from notification_place limit 1) f
 cross join lateral (
    select * from events_after(f.transaction_id, f.position) l
     where (l.transaction_id, l.position) <= (:transaction_id::text::xid8, :position)
     order by l.transaction_id, l.position
     limit :page_size
 ) e
  join tickets t on t.number = e.ticket
  left join comments c on e.type = 'comment.created' and c.id = (e.data ->> 'id')::uuid
 cross join lateral (
    select 'reply' as template, t.requester_id as user_id, false as assigned
     where c.visibility = 'public' and c.deleted_at is null
       and not exists (select from imported_comments i where i.comment = c.id)
    union all
    select 'reply', t.assignee_id, true
     where c.visibility = 'public' and c.deleted_at is null
       and not exists (select from imported_comments i where i.comment = c.id)
    union all
    select 'resolution', t.requester_id, false where e.type = 'ticket.resolved' and t.status in ('resolved', 'closed')
    union all
    select 'assignment', t.assignee_id, true
     where e.type in ('ticket.created', 'ticket.updated', 'ticket.reopened', 'ticket.resolved')
       and (e.type = 'ticket.created' or e.previous ? 'assignee')
       and e.data #>> '{assignee,id}' = t.assignee_id::text
 ) told
  join users u on u.id = told.user_id
 where e.type in ('comment.created', 'ticket.created', 'ticket.updated', 'ticket.reopened', 'ticket.resolved')
   and not event_is_internal(e)
   -- What an import writes has happened before it is recorded.
   and e.occurred_at >= e.recorded_at - interval '1 second'
   and u.id is distinct from e.actor_id
   and u.active and not u.service_account and u.email is not null
   and case told.template when 'reply' then u.mail_replies
                          when 'resolution' then u.mail_resolutions
                          else u.mail_assignments end
   and (not told.assigned or exists (select from staff_of(t.project) s where s.user_id = u.id and s.active))
 order by e.transaction_id, e.position, u.id, told.assigned;

-- name: get_notification_pause(user_id, most)$
-- Whether a user may be told of something: null if so, `last` if that is the most that they are told within an hour,
-- and `paused` if they were told the last within an hour.
select case when exists (select from mails m
                          where m.user_id = :user_id and m.event_id is not null and m.pausing
                            and m.created_at > clock_timestamp() - interval '1 hour') then 'paused'
            when (select count(*) from mails m
                   where m.user_id = :user_id and m.event_id is not null
                     and m.created_at > clock_timestamp() - interval '1 hour') >= :most::integer - 1 then 'last'
       end;

-- name: forget_notifications(transaction_id, position, page_size)!
-- Take back what nobody has read yet of comments that were deleted from that place up to this one.
delete from mails m
 using (select * from notification_place limit 1) f
 cross join lateral (
    select * from events_after(f.transaction_id, f.position) l
     where (l.transaction_id, l.position) <= (:transaction_id::text::xid8, :position)
     order by l.transaction_id, l.position
     limit :page_size
 ) deleted
  join events created on created.ticket = deleted.ticket
 where deleted.type = 'comment.deleted'
   and created.type = 'comment.created'
   and created.data ->> 'id' = deleted.data ->> 'id'
   and m.event_id = created.id and m.status in ('pending', 'captured');

-- name: move_notifications(transaction_id, position)!
-- Remember that people were told up to here.
update notification_place set transaction_id = :transaction_id::text::xid8, position = :position;
