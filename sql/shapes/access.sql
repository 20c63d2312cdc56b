-- Access: the rights of a token, and who may see what.
-- A viewer is four things: a user's id, the organizations whose tickets they see, the projects that they staff, and
-- whether they staff all. Null gives nothing. PostgreSQL inlines all of these functions.

-- Each token with its user and all that their rights follow from. `rights` is all of this as one text, to be compared.
create or replace view identities as
select t.id as token_id, t.hash, t.expires_at, u.id as user_id, u.name, u.role::text as role, t.scopes,
       u.everywhere, g.staffed, g.organizations, t.projects as limits,
       format('%s %s %s %s %s %s', u.role, t.scopes, u.everywhere, g.staffed, g.organizations, t.projects) as rights,
       case when t.revoked_at is not null then 'revoked'
            when has_lapsed(t) then 'expired'
            when not u.active then 'deactivated' end as refusal,
       t.idle is not null as session
  from tokens t
  join users u on u.id = t.user_id
 cross join lateral (
    select array(select s.project from project_staff s where s.user_id = u.id order by s.project) as staffed,
           array(select m.organization from organization_members m
                  where m.user_id = u.id and m.sees_tickets order by m.organization) as organizations
  ) g;

-- Who staffs a project.
create or replace function staff_of(project text) returns table (user_id uuid, active boolean)
language sql stable begin atomic
    select u.id, u.active
      from users u
     where u.role = 'admin'
        or u.role = 'agent' and (u.everywhere or exists (
               select from project_staff s where s.user_id = u.id and s.project = staff_of.project));
end;

-- Projects that everybody may see.
create or replace view public_projects as select key from projects where visibility = 'public';

-- Whether a viewer has the rights of staff in a project.
create or replace function staffs(project text, staffed text[], everywhere boolean) returns boolean language sql stable
return everywhere or (staffed is not null and project = any(staffed));

-- Whether a ticket is the viewer's own, or of one of their organizations.
create or replace function is_theirs(t tickets, viewer uuid, organizations text[]) returns boolean language sql stable
return t.requester_id = viewer or (organizations is not null and t.organization = any(organizations));

-- The one predicate for tickets. `public` is array(table public_projects).
create or replace function may_see(
    t tickets, viewer uuid, organizations text[], staffed text[], everywhere boolean, public text[])
returns boolean language sql stable
return is_theirs(t, viewer, organizations)
    or staffs(t.project, staffed, everywhere)
    -- Not `= any`, as nearly all that is public is in public projects: it would seem ten times rarer to the planner, and
    -- make it read whole projects.
    or (t.visibility = 'public' and array_position(public, t.project) is not null);

-- The one predicate for projects and their categories.
create or replace function may_see(p projects, staffed text[], everywhere boolean) returns boolean language sql stable
return staffs(p.key, staffed, everywhere) or p.visibility = 'public';

-- The one predicate for comments on a ticket that the viewer may see.
create or replace function may_see(c comments, project text, staffed text[], everywhere boolean) returns boolean
language sql stable
return c.visibility = 'public' or staffs(project, staffed, everywhere);
