-- Presences: who looks at a ticket or replies to it, for staff. Each holds for half a minute.

-- name: put_presence(actor_id, activity, number, viewer_id, organizations, staffed, everywhere)
-- returns: Presence
-- Note that somebody is at a ticket, and tell of all who are, the longest there last. No row if they do not staff it.
-- nullable: viewer_id, organizations, staffed
with place as materialized (
    select t.number
      from tickets t
     where t.number = :number
       and may_see(t, :viewer_id, :organizations, :staffed, :everywhere, array(table public_projects))
       and staffs(t.project, :staffed, :everywhere)
), noted as (
    insert into presences as p (ticket, user_id, activity)
    select number, :actor_id, :activity from place
    on conflict (ticket, user_id) do update set activity = excluded.activity, seen_at = now()
    returning p.ticket, p.user_id, p.activity, p.seen_at
)
select user_ref(u) as user, a.activity, utc(a.seen_at) as seen_at
  from (select * from noted
        union all
        select p.ticket, p.user_id, p.activity, p.seen_at
          from presences p join place on place.number = p.ticket
         where p.user_id <> :actor_id and p.seen_at > now() - interval '30 seconds') a
  join users u on u.id = a.user_id
 order by a.seen_at desc, a.user_id;

-- name: delete_presence(actor_id, number, viewer_id, organizations, staffed, everywhere)$
-- Take note that somebody has left a ticket; gives its number, or null if they do not staff it.
-- nullable: viewer_id, organizations, staffed
with place as materialized (
    select t.number
      from tickets t
     where t.number = :number
       and may_see(t, :viewer_id, :organizations, :staffed, :everywhere, array(table public_projects))
       and staffs(t.project, :staffed, :everywhere)
), gone as (
    delete from presences p using place where p.ticket = place.number and p.user_id = :actor_id
)
select number from place;

-- name: delete_expired_presences()!
-- Delete the presences of those who are gone.
delete from presences where seen_at < now() - interval '30 seconds';
