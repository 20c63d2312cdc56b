-- Views: queries that people keep under a name.

-- name: lock_views()$
-- Let nobody else add or share a view until the transaction ends, so that what is counted stays true.
select pg_advisory_xact_lock(hashtextextended('views', 0));

-- name: count_views(owner_id)^
-- returns: ViewTotals
-- How many views a user has, and how many are shared by all.
select (select count(*) from views v where v.owner_id = :owner_id) as own,
       (select count(*) from views v where v.visibility = 'shared') as shared;

-- name: insert_view(view_id, name, q, columns, visibility, owner_id)^
-- returns: View
-- Keep a query under a name.
with inserted as (
    insert into views as v (id, name, q, columns, visibility, owner_id)
    values (:view_id, :name, :q, :columns, :visibility::view_visibility, :owner_id)
    returning v
)
select r.* from inserted cross join lateral view_resource(inserted.v) r;

-- name: list_views(user_id, is_staff)
-- returns: View
-- All views that a user sees: their own, and the shared ones if they are staff.
select r.* from views v cross join lateral view_resource(v) r
 where v.owner_id = :user_id and may_see(v, :user_id, :is_staff)
 union all
select r.* from views v cross join lateral view_resource(v) r
 where :is_staff and v.visibility = 'shared' and v.owner_id <> :user_id;

-- name: get_view(view_id, user_id, is_staff)^
-- returns: View
-- One view, if the user sees it.
select r.* from views v cross join lateral view_resource(v) r
 where v.id = :view_id and may_see(v, :user_id, :is_staff);

-- name: lock_view(view_id, user_id, is_staff)^
-- returns: View
-- One view, if the user sees it, locked until the transaction ends.
select r.* from views v cross join lateral view_resource(v) r
 where v.id = :view_id and may_see(v, :user_id, :is_staff)
   for no key update of v;

-- name: update_view(view_id, name, q, columns, visibility)^
-- returns: View
-- Write the fields of a view that lock_view has locked.
with updated as (
    update views as v
       set name = :name, q = :q, columns = :columns, visibility = :visibility::view_visibility,
           updated_at = clock_timestamp()
     where id = :view_id
    returning v
)
select r.* from updated cross join lateral view_resource(updated.v) r;

-- name: delete_view(view_id)!
-- Delete a view that lock_view has locked.
delete from views where id = :view_id;

-- name: get_arrangement(user_id)^
-- returns: Arrangement
-- How a user has arranged their views.
select u.view_order, u.hidden_views from users u where u.id = :user_id;

-- name: list_count_of_all(condition, most)
-- returns: Counted
-- How many tickets match, for who sees them all; no more than `most` are looked for.
-- compiled: condition
select count(*) as count from (select from tickets t where :condition limit :most) found;

-- name: list_count_of_seen(viewer_id, organizations, staffed, everywhere, condition, most)
-- returns: Counted
-- The same for who sees some, up to twice `most`.
-- compiled: condition
-- nullable: viewer_id, organizations, staffed
select count(*) as count
  from (
    (select
       from matching_tickets(true, :viewer_id, :organizations, :staffed, :everywhere, null, null, null, null, null, null,
                             null, null, false, null, null, false, null, null, null, null, null, null, null, null) t
      where :condition
      limit :most)
     union all
    (select
       from matching_tickets(false, :viewer_id, :organizations, :staffed, :everywhere, null, null, null, null, null, null,
                             null, null, false, null, null, false, null, null, null, null, null, null, null, null) t
      where :condition
      limit :most)
  ) found;
