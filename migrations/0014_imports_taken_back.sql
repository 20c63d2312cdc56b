-- A comment that an import was taken back with may come again: it is no longer the one that the next import finds.

alter table imported_comments add column taken_back boolean not null default false;

with taken as (
    update imported_comments k
       set taken_back = true
      from comments c, imported_issues i, import_runs r
     where c.id = k.comment and i.ticket = k.ticket and r.number = k.run
       and i.run is distinct from k.run and c.deleted_at <= r.reverted_at
       and exists (select from events e
                    where e.ticket = k.ticket and e.type = 'comment.deleted' and e.actor_id is null
                      and e.data ->> 'id' = c.id::text)
    returning k.comment
)
update comments c set external_id = null from taken t where c.id = t.comment;
