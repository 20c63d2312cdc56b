-- Comments: the conversation on a ticket. Internal ones exist for staff alone, and leave no trace for anyone else:
-- not even the moment of the ticket's last change moves.

-- name: insert_comment(event_id, idempotency_key, fingerprint, actor_id, viewer_id, organizations, staffed, everywhere, ticket, comment_id, body, visibility)$
-- Insert a comment and its event, which holds the Comment. No row if the author may not comment, or the key is in use.
-- nullable: fingerprint, viewer_id, organizations, staffed
with seen as materialized (
    -- Locked first: a condition of the update is evaluated again after a wait for the lock, and would claim twice.
    select number, project
      from tickets t
     where number = :ticket
       and may_see(t, :viewer_id, :organizations, :staffed, :everywhere, array(table public_projects))
       and (staffs(project, :staffed, :everywhere)
            -- A viewer without an id is a token that is limited to other projects.
            or (:viewer_id::uuid is not null and status <> 'closed' and :visibility::comment_visibility = 'public'))
       for no key update
), claimed as materialized (
    select number, project
      from seen
     where :idempotency_key::text is null
        or claim_idempotency_key(:actor_id, :idempotency_key, :fingerprint, :event_id)
), touched as (
    update tickets t
       set updated_at = case when :visibility::comment_visibility = 'public' then clock_timestamp() else updated_at end
      from claimed
     where t.number = claimed.number
    returning t.number, t.project, clock_timestamp() as moment
), inserted as (
    insert into comments as c (id, ticket, author_id, body, visibility, created_at, updated_at)
    select :comment_id, number, :actor_id, :body, :visibility::comment_visibility, moment, moment
      from touched
    returning c
)
insert into events (id, type, occurred_at, ticket, project, actor_id, internal, data)
select :event_id, 'comment.created', (c).created_at, r.ticket_number, project, :actor_id, r.visibility = 'internal', to_jsonb(r)
  from inserted cross join touched cross join lateral comment_entry(c) r
returning data;

-- name: list_comments(ticket, viewer_id, organizations, staffed, everywhere, after, after_id, page_size, page_bytes)
-- returns: CommentRow
-- A page of a ticket's comments that the viewer may see, oldest first, from after a given place on. It ends before the
-- comment with which it would have more bytes than these, but has one at least; each says if there is another.
-- nullable: viewer_id, organizations, staffed
with found as materialized (
    select c.id, c.created_at, coalesce(octet_length(c.body), 0) as bytes
      from tickets t
      join comments c on c.ticket = t.number
     where t.number = :ticket
       and may_see(t, :viewer_id, :organizations, :staffed, :everywhere, array(table public_projects))
       and may_see(c, t.project, :staffed, :everywhere)
       and (:after::timestamptz is null or (c.created_at, c.id) > (:after::timestamptz, :after_id::uuid))
     order by c.created_at, c.id
     limit :page_size
), counted as (
    select f.id, sum(f.bytes) over listed as bytes, row_number() over listed as place, count(*) over () as count
      from found f
    window listed as (order by f.created_at, f.id)
)
select p.place < p.count as more, r.*
  from counted p join comments c on c.id = p.id
 cross join lateral comment_entry(c) r
 where p.bytes <= :page_bytes or p.place = 1
 order by p.place;

-- name: list_comments_desc(ticket, viewer_id, organizations, staffed, everywhere, after, after_id, page_size, page_bytes)
-- returns: CommentRow
-- A page of a ticket's comments that the viewer may see, newest first, from after a given place on. It ends before the
-- comment with which it would have more bytes than these, but has one at least; each says if there is another.
-- nullable: viewer_id, organizations, staffed
with found as materialized (
    select c.id, c.created_at, coalesce(octet_length(c.body), 0) as bytes
      from tickets t
      join comments c on c.ticket = t.number
     where t.number = :ticket
       and may_see(t, :viewer_id, :organizations, :staffed, :everywhere, array(table public_projects))
       and may_see(c, t.project, :staffed, :everywhere)
       and (:after::timestamptz is null or (c.created_at, c.id) < (:after::timestamptz, :after_id::uuid))
     order by c.created_at desc, c.id desc
     limit :page_size
), counted as (
    select f.id, sum(f.bytes) over listed as bytes, row_number() over listed as place, count(*) over () as count
      from found f
    window listed as (order by f.created_at desc, f.id desc)
)
select p.place < p.count as more, r.*
  from counted p join comments c on c.id = p.id
 cross join lateral comment_entry(c) r
 where p.bytes <= :page_bytes or p.place = 1
 order by p.place;

-- name: get_comment(ticket, comment_id, viewer_id, organizations, staffed, everywhere)^
-- returns: Comment
-- One comment, if the viewer may see it.
-- nullable: viewer_id, organizations, staffed
select r.*
  from tickets t
  join comments c on c.ticket = t.number
 cross join lateral comment_entry(c) r
 where t.number = :ticket and may_see(t, :viewer_id, :organizations, :staffed, :everywhere, array(table public_projects))
   and c.id = :comment_id and may_see(c, t.project, :staffed, :everywhere);

-- name: get_deleted_comment(comment_id)^
-- returns: Comment
-- The tombstone of a comment, for its author, who repeats the request that made it.
select r.* from comments c cross join lateral comment_entry(c) r where c.id = :comment_id and c.deleted_at is not null;

-- name: lock_comment(ticket, comment_id, viewer_id, organizations, staffed, everywhere)^
-- returns: Comment
-- One comment, if the viewer may see it, locked with its ticket until the transaction ends.
-- nullable: viewer_id, organizations, staffed
select r.*
  from tickets t
  join comments c on c.ticket = t.number
 cross join lateral comment_entry(c) r
 where t.number = :ticket and may_see(t, :viewer_id, :organizations, :staffed, :everywhere, array(table public_projects))
   and c.id = :comment_id and may_see(c, t.project, :staffed, :everywhere)
   for no key update of t, c;

-- name: update_comment(event_id, actor_id, comment_id, body, previous)$
-- Update a locked comment and insert its event, which holds the Comment.
with updated as (
    update comments as c set body = :body, updated_at = clock_timestamp() where id = :comment_id returning c
), touched as (
    update tickets t set updated_at = clock_timestamp()
      from updated u where t.number = (u.c).ticket and (u.c).visibility = 'public'
)
insert into events (id, type, occurred_at, ticket, project, actor_id, internal, data, previous)
select :event_id, 'comment.updated', (c).updated_at, t.number, t.project, :actor_id, r.visibility = 'internal', to_jsonb(r),
       :previous
  from updated cross join lateral comment_entry(c) r join tickets t on t.number = r.ticket_number
returning data;

-- name: delete_comment(event_id, actor_id, comment_id)!
-- Turn a comment that lock_comment has locked into a tombstone, and take its text out of the event log, and its words out
-- of what is searched.
-- nullable: actor_id
with deleted as (
    update comments as c set body = null, updated_at = clock_timestamp(), deleted_at = clock_timestamp()
     where id = :comment_id
    returning c
), touched as (
    update tickets t set updated_at = clock_timestamp()
      from deleted d where t.number = (d.c).ticket and (d.c).visibility = 'public'
), redacted as (
    update events e
       set data = e.data || '{"body": null}',
           previous = case when e.previous ? 'body' then e.previous || '{"body": null}' else e.previous end
      from deleted d
     where e.ticket = (d.c).ticket and e.type in ('comment.created', 'comment.updated')
       and e.data ->> 'id' = (d.c).id::text
)
insert into events (id, type, occurred_at, ticket, project, actor_id, internal, data)
select :event_id, 'comment.deleted', (c).deleted_at, t.number, t.project, :actor_id, r.visibility = 'internal', to_jsonb(r)
  from deleted cross join lateral comment_entry(c) r join tickets t on t.number = r.ticket_number
 cross join lateral erase_documents(array[t.number]);
