-- Imports: people, tickets, comments and events from elsewhere or earlier, many at once. All timestamps are given.
-- `:rows` is a JSON array of objects; tickets are numbered in the order of the array.

-- name: lock_source(source)$
-- Let one import at a time write people and issues of a source, until the transaction ends.
select pg_advisory_xact_lock(hashtextextended(:source, 0));

-- name: occupy_source(source)$
-- Let one import or reversion of a source run at a time: wait for the others, and hold the lock until the session ends.
select pg_advisory_lock(hashtextextended(:source, 1));

-- name: try_to_occupy_source(source)$
-- The same without waiting; whether the lock was free.
select pg_try_advisory_lock(hashtextextended(:source, 1));

-- Runs ---------------------------------------------------------------------------------------------------------------

-- name: insert_run(source, project, file)$
-- Record that an import begins, with a lock that shows until the session ends that it runs; return its number.
with run as (
    insert into import_runs (source, project, file) values (:source, :project, :file) returning number
)
select number from run, lateral pg_advisory_lock(hashtextextended('run ' || number, 1));

-- name: advance_run(run, created, updated, comments)!
-- Count what an import has done.
update import_runs
   set created = created + :created::int, updated = updated + :updated::int, comments = comments + :comments::int
 where number = :run;

-- name: was_interrupted(source, run)$
-- Whether the import of the source before this one was interrupted.
select ended_at is null from import_runs where source = :source and number < :run order by number desc limit 1;

-- name: end_run(run)!
-- Record that an import has ended.
update import_runs set ended_at = clock_timestamp() where number = :run;

-- name: list_runs(run)
-- returns: ImportRun
-- Every import, newest first, or the one with this number. The lock of insert_run shows whether it still runs.
-- nullable: run
select r.number, r.source, r.project, r.file, utc(r.started_at) as started_at, utc(r.ended_at) as ended_at, r.created,
       r.updated, r.comments, utc(r.reverted_at) as reverted_at,
       case
           when r.reverted_at is not null and (
               exists (select from imported_issues i where i.run = r.number and i.seen is not null)
               or exists (select from imported_comments k join comments c on c.id = k.comment
                           where k.run = r.number and c.deleted_at is null)) then 'partly reverted'
           when r.reverted_at is not null then 'reverted'
           when r.ended_at is not null then 'done'
           when exists (select from pg_locks l
                         where l.locktype = 'advisory' and l.objsubid = 1
                           and l.database = (select oid from pg_database where datname = current_database())
                           and l.classid::bigint << 32 | l.objid::bigint = hashtextextended('run ' || r.number, 1))
               then 'running'
           else 'interrupted'
       end as status
  from import_runs r
 where :run::bigint is null or r.number = :run
 order by r.number desc;

-- People -------------------------------------------------------------------------------------------------------------

-- name: insert_users(rows)!
-- Add people and their `user.created`, except those whose e-mail address or external id is known.
-- Rows: {id, event_id, name, email?, role, service_account, external_source?, external_id?, created_at}
with given as (
    select *
      from jsonb_to_recordset(:rows) as r (id uuid, event_id uuid, name text, email text, role user_role,
                                           service_account boolean, external_source text, external_id text,
                                           created_at timestamptz)
), inserted as (
    insert into users as u (id, name, email, role, service_account, external_source, external_id, created_at,
                            updated_at)
    select id, name, email, role, service_account, external_source, external_id, created_at, created_at from given
        on conflict do nothing
    returning u
)
insert into events (id, type, occurred_at, data)
select g.event_id, 'user.created', (i.u).created_at, to_jsonb(r)
  from inserted i
  join given g on g.id = (i.u).id
 cross join lateral user_resource(i.u) r
 order by g.created_at, g.event_id;

-- name: insert_people(system, rows)!
-- Store who people of a system are here, in place of what was stored of them before. Rows: {login, user_id}
insert into imported_people (system, login, user_id)
select :system, r.login, r.user_id from jsonb_to_recordset(:rows) as r (login text, user_id uuid)
    on conflict (system, login) do update set user_id = excluded.user_id;

-- name: list_people(system, logins)
-- returns: ImportedPerson
-- The users who are these people of a system, as far as they are known.
select login, user_id from imported_people where system = :system and login = any(:logins);

-- Issues -------------------------------------------------------------------------------------------------------------

-- name: list_imported_issues(source)
-- returns: ImportedIssue
-- Every issue of a source that has a number here, with what identifies it: its author and creation.
select id, ticket, author, created_at, seen is not null as imported from imported_issues where source = :source;

-- name: list_tickets_of_issues(sources, ids)
-- returns: TicketOfIssue
-- The tickets of issues, of any sources.
select i.source, i.id, i.ticket
  from unnest(:sources::text[], :ids::text[]) as given (source, id)
  join imported_issues i on i.source = given.source and i.id = given.id
 where i.seen is not null;

-- name: reserve_numbers(source, run, rows)!
-- Give issues the numbers of their future tickets, in the order of the rows, unless they have one.
-- Rows: {id, author, created_at}
insert into imported_issues (source, id, ticket, author, created_at, run)
select :source, given.id, nextval(pg_get_serial_sequence('tickets', 'number')), given.author, given.created_at, :run
  from (select r.id, r.author, r.created_at
          from rows from (jsonb_to_recordset(:rows) as (id text, author text, created_at timestamptz))
               with ordinality as r (id, author, created_at, place)
         where not exists (select from imported_issues i where i.source = :source and i.id = r.id)
         order by r.place) given
    on conflict do nothing;

-- name: insert_tickets(rows)
-- returns: InsertedTicket
-- Add tickets in their present state; return them by number. Rows without a number get one, in the order of the rows.
-- Rows: {number?, type, project, category?, title, description, status, resolution, resolution_note?, priority, severity,
--        tags: [], environment: {}, channel, requester_id, assignee_id?, external_source?, external_id?, created_at,
--        updated_at, resolved_at?, closed_at?}
with inserted as (
    insert into tickets (number, type, project, category, title, description, status, resolution, resolution_note,
                         priority, severity, tags, environment, channel, requester_id, assignee_id, external_source,
                         external_id, created_at, updated_at, resolved_at, closed_at)
    select coalesce((t).number, nextval(pg_get_serial_sequence('tickets', 'number'))), (t).type, (t).project,
           (t).category, (t).title, (t).description, (t).status, (t).resolution, (t).resolution_note, (t).priority,
           (t).severity, (t).tags, (t).environment, (t).channel, (t).requester_id, (t).assignee_id,
           (t).external_source, (t).external_id, (t).created_at, (t).updated_at, (t).resolved_at, (t).closed_at
      from jsonb_array_elements(:rows) with ordinality as r (object, place)
     cross join lateral jsonb_populate_record(null::tickets, r.object) t
     order by place
    returning number
)
select number from inserted order by number;

-- name: list_imported_tickets(source, ids)
-- returns: ImportedTicket
-- The tickets of these issues, with what shows whether they are out of date. `version` changes with every write of the
-- row.
select i.id, t.number, t.xmin::text as version, t.project, t.type, t.title, t.description, t.tags, t.environment,
       t.assignee_id, r.assignee, t.status, t.resolution, t.resolution_note, r.resolved_at, r.closed_at, i.author,
       i.seen, i.written,
       (select coalesce(jsonb_agg(jsonb_build_object(
                   'id', c.id, 'name', c.external_id, 'version', c.xmin::text, 'body', c.body,
                   'visibility', c.visibility, 'occasion', k.occasion, 'seen', k.seen, 'written', k.written)), '[]')
          from imported_comments k join comments c on c.id = k.comment
         where k.ticket = t.number and not k.taken_back) as comments,
       (select max(e.occurred_at) from events e where e.ticket = t.number and e.type = 'ticket.reopened')
           as reopened_at
  from imported_issues i join tickets t on t.number = i.ticket cross join lateral ticket_resource(t) r
 where i.source = :source and i.id = any(:ids) and i.seen is not null;

-- name: update_tickets(rows)!
-- Update tickets, except those that somebody has changed since `version` was read.
-- Rows: {number, version, title, description, tags: [], environment: {}, assignee_id?, status, resolution,
--        resolution_note?, resolved_at?, closed_at?, updated_at}
with given as (
    select r.version, (t).*
      from jsonb_array_elements(:rows) as e (object)
     cross join lateral jsonb_to_record(e.object) as r (version text)
     cross join lateral jsonb_populate_record(null::tickets, e.object) t
), before as materialized (
    select t.number, t.updated_at from given g join tickets t on t.number = g.number
), updated as (
    update tickets t
       set title = g.title, description = g.description, tags = g.tags, environment = g.environment,
           assignee_id = g.assignee_id, status = g.status, resolution = g.resolution,
           resolution_note = g.resolution_note, resolved_at = g.resolved_at, closed_at = g.closed_at,
           updated_at = greatest(t.updated_at, g.updated_at)
      from given g
     where t.number = g.number and t.xmin::text = g.version
    returning t.number, t.updated_at
)
-- A ticket that somebody here has changed is not reverted, even if imports change it after that.
update imported_issues i
   set updated_at = case when i.updated_at = b.updated_at then u.updated_at else i.updated_at end
  from updated u join before b on b.number = u.number
 where i.ticket = u.number;

-- name: note_issues(run, rows)!
-- Store digests of issues as they are there, and as they were written; with `made`, that this run made their tickets.
-- Rows: {ticket, made, seen: {}, written: {}}
update imported_issues i
   set seen = r.seen, written = r.written, run = case when r.made then :run else i.run end,
       updated_at = case when r.made then t.updated_at else i.updated_at end
  from jsonb_to_recordset(:rows) as r (ticket bigint, made boolean, seen jsonb, written jsonb)
  join tickets t on t.number = r.ticket
 where i.ticket = r.ticket;

-- Comments -----------------------------------------------------------------------------------------------------------

-- name: insert_comments(rows)!
-- Add comments. The tickets' updated_at stays as it is.
-- Rows: {id, ticket, author_id, body?, visibility, external_id?, created_at, updated_at, deleted_at?}
insert into comments (id, ticket, author_id, body, visibility, external_id, created_at, updated_at, deleted_at)
select id, ticket, author_id, body, visibility, external_id, created_at, updated_at, deleted_at
  from jsonb_populate_recordset(null::comments, :rows);

-- name: update_comments(rows)!
-- Update comments, except those that somebody has changed since `version` was read.
-- Rows: {id, version, body, updated_at}
update comments c
   set body = r.body, updated_at = greatest(c.updated_at, r.updated_at)
  from jsonb_to_recordset(:rows) as r (id uuid, version text, body text, updated_at timestamptz)
 where c.id = r.id and c.xmin::text = r.version;

-- name: note_comments(run, rows)!
-- Store digests of comments as they are there, and as they were written.
-- Rows: {id, ticket, occasion, seen, written}
insert into imported_comments (comment, ticket, run, occasion, seen, written)
select r.id, r.ticket, :run, r.occasion, r.seen, r.written
  from jsonb_to_recordset(:rows) as r (id uuid, ticket bigint, occasion text, seen text, written text)
    on conflict (comment) do update set seen = excluded.seen, written = excluded.written;

-- References ---------------------------------------------------------------------------------------------------------

-- name: list_texts_that_mention(words)
-- returns: MentioningText
-- Where imported texts have one of these words (in lower case) in them: tickets, and comments that are still there.
select t.number as ticket, null::uuid as comment
  from imported_issues i join tickets t on t.number = i.ticket
 where i.seen is not null
   and exists (select from unnest(:words::text[]) as word where strpos(lower(t.description), word) > 0)
union all
select c.ticket, c.id
  from imported_comments k join comments c on c.id = k.comment
 where c.body is not null
   and exists (select from unnest(:words::text[]) as word where strpos(lower(c.body), word) > 0);

-- name: list_imported_texts(tickets, comments)
-- returns: ImportedText
-- The texts of these tickets and comments, unless a comment has been deleted.
select t.number as ticket, null::uuid as comment, i.source, t.description as body, t.xmin::text as version,
       i.written ->> 'description' as written, t.updated_at
  from imported_issues i join tickets t on t.number = i.ticket
 where t.number = any(:tickets)
union all
select c.ticket, c.id, i.source, c.body, c.xmin::text, k.written, t.updated_at
  from imported_comments k
  join comments c on c.id = k.comment
  join imported_issues i on i.ticket = c.ticket
  join tickets t on t.number = c.ticket
 where k.comment = any(:comments) and c.body is not null;

-- name: reword_description(ticket, version, body, written)$
-- Update a description, unless somebody has changed the ticket meanwhile.
with updated as (
    update tickets set description = :body where number = :ticket and xmin::text = :version returning number
), noted as (
    update imported_issues set written = written || jsonb_build_object('description', :written::text)
     where ticket = :ticket and exists (select from updated)
)
select number from updated;

-- name: reword_comment(comment_id, version, body, written)$
-- Update a comment, unless somebody has changed it meanwhile.
with updated as (
    update comments set body = :body where id = :comment_id and xmin::text = :version returning ticket
), noted as (
    update imported_comments set written = :written
     where comment = :comment_id and exists (select from updated)
)
select ticket from updated;

-- Events -------------------------------------------------------------------------------------------------------------

-- name: insert_events(rows)!
-- Record events of tickets and comments. Their data is the resource as it is now, except for the columns in `was`.
-- Rows: {id, type, occurred_at, actor_id?, ticket, comment?, was: {column: value}, previous: {property: value}}
-- Without `comment` it is an event of the ticket.
insert into events (id, type, occurred_at, ticket, project, actor_id, internal, data, previous)
select r.id, r.type, r.occurred_at, t.number, t.project, r.actor_id, c.visibility = 'internal',
       coalesce(of_comment.data, of_ticket.data), r.previous
  from jsonb_to_recordset(:rows) as r (id uuid, type text, occurred_at timestamptz, actor_id uuid, ticket bigint,
                                       comment uuid, was jsonb, previous jsonb)
  join tickets t on t.number = r.ticket
  left join comments c on c.id = r.comment
  left join lateral (
      select to_jsonb(resource) as data from comment_entry(jsonb_populate_record(c, r.was)) resource
  ) of_comment on r.comment is not null
  left join lateral (
      select to_jsonb(resource) as data from ticket_resource(jsonb_populate_record(t, r.was)) resource
  ) of_ticket on r.comment is null
 order by r.occurred_at, r.id;

-- Reverting ----------------------------------------------------------------------------------------------------------

-- name: list_tickets_of_run(run)
-- returns: TicketOfRun
-- The tickets that an import made, in the order of their numbers.
select i.ticket
  from imported_issues i join tickets t on t.number = i.ticket
 where i.run = :run and i.seen is not null
 order by i.ticket;

-- name: lock_tickets_of_run(run, tickets)
-- returns: TakenTicket
-- Tickets that an import made, locked until the transaction ends.
select t.number
  from imported_issues i join tickets t on t.number = i.ticket
 where i.run = :run and i.ticket = any(:tickets)
 order by t.number
   for update of t;

-- name: list_touched_tickets(run, tickets)
-- returns: TouchedTicket
-- The tickets that have been touched since an import made them, and how.
select touched.ticket, touched.reason
  from (select i.ticket,
               case
                   when exists (select from comments c
                                 where c.ticket = t.number
                                   and not exists (select from imported_comments k where k.comment = c.id))
                       then 'somebody here has commented on it'
                   when exists (select from imported_comments k join comments c on c.id = k.comment
                                 where k.ticket = t.number and k.run is distinct from :run and c.deleted_at is null)
                       then 'a later import has added comments; revert that one first'
                   when exists (select from imported_comments k join comments c on c.id = k.comment
                                 where k.ticket = t.number and not k.taken_back
                                   and md5(coalesce(c.body, '')) is distinct from k.written)
                       then 'a comment on it was changed here'
                   when exists (select from escalations e where e.ticket = t.number) then 'it was escalated'
                   when t.updated_at is distinct from i.updated_at then 'it was changed here'
               end as reason
          from imported_issues i join tickets t on t.number = i.ticket
         where i.run = :run and i.ticket = any(:tickets)) touched
 where touched.reason is not null
 order by touched.ticket;

-- name: delete_tickets(tickets, event_ids)!
-- Remove imported tickets with their comments, and record a `ticket.deleted` for each, with its requester, who must see
-- it too. There are as many ids of events as tickets.
with doomed as materialized (
    select t.number, t.project, to_jsonb(r) as data, r.requester, row_number() over (order by t.number) as place
      from tickets t cross join lateral ticket_resource(t) r
     where t.number = any(:tickets)
), unknown as (
    delete from imported_comments k using doomed d where k.ticket = d.number
), unsaid as (
    delete from comments c using doomed d where c.ticket = d.number
), forgotten as (
    delete from imported_issues i using doomed d where i.ticket = d.number
), gone as (
    delete from tickets t using doomed d where t.number = d.number
)
insert into events (id, type, ticket, project, data, previous)
select (:event_ids::uuid[])[d.place], 'ticket.deleted', d.number, d.project, d.data,
       jsonb_build_object('requester', d.requester)
  from doomed d cross join erase_documents(array(select number from doomed))
 order by d.place;

-- name: list_comments_of_run(run)
-- returns: CommentOfRun
-- The comments that an import added to tickets that it did not make.
select c.id, c.ticket
  from imported_comments k
  join comments c on c.id = k.comment
  join imported_issues i on i.ticket = k.ticket
 where k.run = :run and i.run is distinct from :run and c.deleted_at is null
 order by c.ticket, c.created_at, c.id;

-- name: lock_comment_of_run(run, comment_id)
-- returns: TakenComment
-- Lock a comment with its ticket until the transaction ends, unless the comment was changed here; and whether only
-- imports have changed the ticket.
select t.number as ticket, t.updated_at is not distinct from i.updated_at as pristine
  from imported_comments k
  join comments c on c.id = k.comment
  join tickets t on t.number = c.ticket
  join imported_issues i on i.ticket = t.number
 where k.run = :run and c.id = :comment_id and md5(c.body) = k.written
   for no key update of t, c;

-- name: forget_comment(comment_id, pristine)!
-- Let the next import add a reverted comment again. If its ticket was `pristine`, it stays so.
with forgotten as (
    update imported_comments set taken_back = true where comment = :comment_id
), nameless as (
    update comments set external_id = null where id = :comment_id returning ticket
)
update imported_issues i set updated_at = t.updated_at
  from nameless n join tickets t on t.number = n.ticket
 where i.ticket = n.ticket and :pristine::boolean;

-- name: end_reversion(run)!
-- Record that an import was reverted, except for what somebody here had touched.
update import_runs set reverted_at = clock_timestamp() where number = :run;
