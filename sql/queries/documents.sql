-- Documents: the words of tickets for full text, written by a worker that follows the event log.

-- name: has_documents_to_write(form)$
-- Whether there is anything to do: the settled log goes on, or has lost what nobody had read; documents are of an older
-- form; or a rebuild is not finished.
-- It locks nothing: a lock would make this a transaction that writes, before which the log ends.
select exists (
    select
      from search_progress s cross join lateral (
        select from events_after(s.transaction_id, s.position) e order by e.transaction_id, e.position limit 1
      ) next)
    or exists (select from search_progress s cross join event_log l
                where s.form < :form or (s.transaction_id, s.position) < (l.expired_transaction, l.expired_position))
    or exists (select from search_rebuilds where finished_at is null);

-- name: lock_search_progress()^
-- returns: SearchProgress
-- The right to write documents, until the transaction ends; of what form they are, and whether events were taken out of
-- the log that nobody had read for them. Empty: somebody else has it.
select s.form, (s.transaction_id, s.position) < (l.expired_transaction, l.expired_position) as missed
  from search_progress s cross join event_log l
   for update of s skip locked;

-- name: skip_expired_events()!
-- Remember that documents are current up to where the log begins.
update search_progress set transaction_id = l.expired_transaction, position = l.expired_position from event_log l;

-- name: list_events_to_document(page_size)
-- returns: EventToDocument
-- A page of the settled log after the place up to which documents are current, each event with the ticket whose text
-- it changed, how much text that has in all, and the project whose language it changed. Take the lock before.
select e.transaction_id::text as transaction_id, e.position, page.more, t.ticket, coalesce(text_bytes(t.ticket), 0) as bytes,
       case when e.type = 'project.updated' and e.previous ? 'language' then e.project end as project
  from (select * from search_progress limit 1) s
 cross join lateral log_page(s.transaction_id, s.position, :page_size, null) page
 cross join lateral (
    select * from events_after(s.transaction_id, s.position) l
     where (l.transaction_id, l.position) <= (page.transaction_id, page.position)
     order by l.transaction_id, l.position
     limit :page_size
 ) e
 cross join lateral (
    select case when e.type in ('ticket.created', 'ticket.deleted', 'comment.created', 'comment.updated', 'comment.deleted')
                     or e.previous ?| '{title,description,project}'
                then e.ticket end as ticket
 ) t
 order by e.transaction_id, e.position;

-- name: move_search_progress(transaction_id, position)!
-- Remember that documents are current up to here.
update search_progress set transaction_id = :transaction_id::text::xid8, position = :position;

-- name: write_documents(tickets)$
-- Bring the documents of these tickets to what the tickets are now, and count their words; words that are now in none.
-- A document from which text was taken away since this statement began stays as it is: its event is still to come.
with given as materialized (
    select g.number, d.created_at, d.slice, d.internal, d.text, d.staff_text
      from unnest(:tickets::bigint[]) as g (number) left join lateral documents_of(g.number) d on true
), before as materialized (
    select d.number, d.text from ticket_documents d where d.number = any(:tickets::bigint[])
), written as (
    insert into ticket_documents as d (number, created_at, slice, internal, text)
    select g.number, g.created_at, g.slice, g.internal, g.text from given g where g.text is not null order by g.number
        on conflict (number) do update
       set created_at = excluded.created_at, slice = excluded.slice, internal = excluded.internal, text = excluded.text,
           erased_by = null
     where (d.created_at, d.internal, d.text, d.erased_by) is distinct from
           (excluded.created_at, excluded.internal, excluded.text, null)
       and (d.erased_by is null or pg_visible_in_snapshot(d.erased_by, pg_current_snapshot()))
    returning d.number
), deleted as (
    delete from ticket_documents d using given g where d.number = g.number and g.text is null returning d.number
), written_for_staff as (
    insert into staff_documents as d (number, created_at, slice, text)
    select g.number, g.created_at, g.slice, g.staff_text from given g where g.staff_text is not null order by g.number
        on conflict (number) do update
       set created_at = excluded.created_at, slice = excluded.slice, text = excluded.text, erased_by = null
     where (d.created_at, d.text, d.erased_by) is distinct from (excluded.created_at, excluded.text, null)
       and (d.erased_by is null or pg_visible_in_snapshot(d.erased_by, pg_current_snapshot()))
), deleted_for_staff as (
    delete from staff_documents d using given g where d.number = g.number and g.staff_text is null
), changed as (
    select unnest(tsvector_to_array(g.text)) as word, 1 as documents from given g join written w on w.number = g.number
    union all
    select unnest(tsvector_to_array(b.text)), -1
      from before b
     where b.number in (select w.number from written w union all select x.number from deleted x)
), counted as (
    select coalesce(count_words(array_agg(c.word order by c.word), array_agg(c.documents order by c.word)), '{}') as gone
      from (select word, sum(documents)::int as documents from changed where length(word) <= 64 group by word) c
     where c.documents <> 0
)
select gone from counted;

-- name: forget_words(words)!
-- Take words away that are in no document.
delete from words w where w.word = any(:words) and w.documents <= 0;

-- Rebuilding ---------------------------------------------------------------------------------------------------------

-- name: insert_search_rebuild(project)$
-- Ask that the documents of all tickets, or of a project's, be written again; its number. Empty: there are none.
-- nullable: project
insert into search_rebuilds (project, last)
select :project::text, max(t.number) from tickets t where :project::text is null or t.project = :project::text
having count(*) > 0
returning id;

-- name: note_search_form(form)!
-- Remember of what form the documents are to be.
update search_progress set form = :form;

-- name: get_search_rebuild()^
-- returns: SearchRebuild
-- The rebuild that is being done.
select r.id, r.project, r.done, r.last from search_rebuilds r where r.finished_at is null order by r.id limit 1;

-- name: list_tickets_to_document(project, done, last, page_size)
-- returns: TicketToDocument
-- The next tickets whose documents are to be written, with what has a document but is no ticket any more, in the order
-- of their numbers; and how much text each has.
-- nullable: project
select n.number, coalesce(text_bytes(n.number), 0) as bytes
  from (select number from (
            select t.number from tickets t
             where t.number > :done and t.number <= :last and (:project::text is null or t.project = :project::text)
             order by t.number limit :page_size) of_tickets
        union
        select number from (
            select d.number from ticket_documents d
             where d.number > :done and d.number <= :last and :project::text is null
               and not exists (select from tickets t where t.number = d.number)
             order by d.number limit :page_size) of_none
         order by number limit :page_size) n
 order by n.number;

-- name: move_search_rebuild(rebuild_id, done, written, finished)!
-- Remember up to which ticket a rebuild has come.
update search_rebuilds
   set done = :done, written = written + :written,
       finished_at = case when :finished::boolean then clock_timestamp() end
 where id = :rebuild_id;

-- name: list_search_rebuilds(page_size)
-- returns: SearchRebuildRow
-- Rebuilds, the newest first, with how many tickets each has left.
select r.id, r.project, r.written,
       case when r.finished_at is null
            then (select count(*) from tickets t
                   where t.number > r.done and t.number <= r.last and (r.project is null or t.project = r.project))
            else 0 end as remaining,
       utc(r.requested_at) as requested_at, utc(r.finished_at) as finished_at
  from search_rebuilds r
 order by r.id desc
 limit :page_size;

-- name: find_search_rebuild(project)$
-- The rebuild of all tickets, or of a project's, that is not finished.
-- nullable: project
select max(r.id) from search_rebuilds r where r.finished_at is null and r.project is not distinct from :project::text;

-- name: get_rebuilt_tickets(rebuild_id)$
-- How many tickets an unfinished rebuild has read. Empty: it is finished.
select r.written from search_rebuilds r where r.id = :rebuild_id and r.finished_at is null;

-- name: count_tickets_of(project)$
-- How many tickets there are, or a project has.
-- nullable: project
select count(*) from tickets t where :project::text is null or t.project = :project::text;
