-- Who may see what: organizations, public tickets, agents of some projects, tokens for some projects.

-- Organizations whose people may see each other's tickets.
create table organizations (
    key        text primary key check (key ~ '^[a-z][a-z0-9-]{1,39}$'),
    name       text not null check (name <> ''),
    created_at timestamptz(3) not null default now(),
    updated_at timestamptz(3) not null default now()
);

create table organization_members (
    organization text not null references organizations,
    user_id      uuid not null references users,
    -- Whether they see the tickets of the whole organization, and not only their own.
    sees_tickets boolean not null default false,
    primary key (user_id, organization)
);

-- An agent staffs all projects, or those in project_staff. Admins always staff all; requesters staff none.
alter table users add column everywhere boolean not null default true;
create table project_staff (
    user_id uuid not null references users,
    project text not null references projects,
    primary key (user_id, project)
);

-- Neither column rewrites the table: null, and a constant.
alter table tickets
    add column organization text references organizations,
    add column visibility visibility not null default 'private';

-- A token may be limited to some projects: it carries its user's rights as staff in these, and no others.
alter table tokens add column projects text[];

-- The contract has the one catalogue of scopes (spec/schemas/Scope.yaml). An unknown one gives no right.
drop function token_resource(tokens);
alter table tokens alter column scopes type text[] using scopes::text[];
create function token_resource(t tokens)
returns table (id uuid, name text, prefix text, scopes text[], created_by_token uuid, created_at text, expires_at text,
               last_used_at text, revoked_at text)
language sql stable rows 1 begin atomic
    select t.id, t.name, t.prefix, t.scopes, t.created_by_token, utc(t.created_at), utc(t.expires_at),
           utc(t.last_used_at), utc(t.revoked_at);
end;

-- For processes of the release before, until they are replaced: they compare scopes as token_scope[]. A later migration
-- drops the operator and the type.
create function scopes_overlap(scopes text[], others token_scope[]) returns boolean language sql immutable
return scopes && others::text[];
create operator && (leftarg = text[], rightarg = token_scope[], function = scopes_overlap);

-- The rights of tokens ---------------------------------------------------------------------------------------------

-- Each token with its user and all that their rights follow from. `rights` is all of this as one text, to be compared.
create view identities as
select t.id as token_id, t.hash, t.expires_at, u.id as user_id, u.name, u.role::text as role, t.scopes,
       u.everywhere, g.staffed, g.organizations, t.projects as limits,
       format('%s %s %s %s %s %s', u.role, t.scopes, u.everywhere, g.staffed, g.organizations, t.projects) as rights,
       case when t.revoked_at is not null then 'revoked'
            when t.expires_at <= now() then 'expired'
            when not u.active then 'deactivated' end as refusal
  from tokens t
  join users u on u.id = t.user_id
 cross join lateral (
    select array(select s.project from project_staff s where s.user_id = u.id order by s.project) as staffed,
           array(select m.organization from organization_members m
                  where m.user_id = u.id and m.sees_tickets order by m.organization) as organizations
  ) g;

-- Who staffs a project.
create function staff_of(project text) returns table (user_id uuid, active boolean)
language sql stable begin atomic
    select u.id, u.active
      from users u
     where u.role = 'admin'
        or u.role = 'agent' and (u.everywhere or exists (
               select from project_staff s where s.user_id = u.id and s.project = staff_of.project));
end;

-- Who may see what -------------------------------------------------------------------------------------------------
-- A viewer is four things: a user's id, the organizations whose tickets they see, the projects that they staff, and
-- whether they staff all. Null gives nothing. PostgreSQL inlines all of these functions.

-- Projects that everybody may see.
create view public_projects as select key from projects where visibility = 'public';

-- Whether a viewer has the rights of staff in a project.
create function staffs(project text, staffed text[], everywhere boolean) returns boolean language sql stable
return everywhere or (staffed is not null and project = any(staffed));

-- Whether a ticket is the viewer's own, or of one of their organizations.
create function is_theirs(t tickets, viewer uuid, organizations text[]) returns boolean language sql stable
return t.requester_id = viewer or (organizations is not null and t.organization = any(organizations));

-- The one predicate for tickets. `public` is array(table public_projects).
create function may_see(
    t tickets, viewer uuid, organizations text[], staffed text[], everywhere boolean, public text[])
returns boolean language sql stable
return is_theirs(t, viewer, organizations)
    or staffs(t.project, staffed, everywhere)
    or (t.visibility = 'public' and t.project = any(public));

-- The one predicate for projects and their categories.
create function may_see(p projects, staffed text[], everywhere boolean) returns boolean language sql stable
return staffs(p.key, staffed, everywhere) or p.visibility = 'public';

-- The one predicate for comments on a ticket that the viewer may see.
create function may_see(c comments, project text, staffed text[], everywhere boolean) returns boolean language sql stable
return c.visibility = 'public' or staffs(project, staffed, everywhere);

-- The tickets that a viewer may see.
create function visible_tickets(viewer uuid, organizations text[], staffed text[], everywhere boolean)
returns setof tickets language sql stable begin atomic
    select t.* from tickets t where may_see(t, viewer, organizations, staffed, everywhere, array(table public_projects));
end;

-- The filters of GET /tickets on what a viewer may see: either on their own tickets, or on all others. A page is merged
-- from both, so that an index gives the viewer's own in the order of the list, however few or old they are. For who
-- staffs everything all are others. A filter that is null is none: PostgreSQL inlines the function, and drops it.
create function matching_tickets(
    own boolean, viewer uuid, organizations text[], staffed text[], everywhere boolean,
    project text[], type ticket_type[], status ticket_status[],
    priority ticket_priority[], severity ticket_severity[], category text[], tags text[],
    assignee uuid, unassigned boolean, requester uuid,
    created_after timestamptz, created_before timestamptz, updated_after timestamptz, updated_before timestamptz)
returns setof tickets language sql stable begin atomic
    select t.*
      from tickets t
     where case when own then not everywhere and is_theirs(t, viewer, null)
                else may_see(t, null, organizations, staffed, everywhere, array(table public_projects))
                     and (everywhere or is_theirs(t, viewer, null) is not true) end
       -- Of one value an equality, by which an index can both find and sort. Never both forms: the planner would take
       -- them for independent, and expect so few rows that it sorts them all.
       and (matching_tickets.project is null
            or case when cardinality(matching_tickets.project) = 1 then t.project = matching_tickets.project[1]
                    else t.project = any(matching_tickets.project) end)
       and (matching_tickets.type is null or t.type = any(matching_tickets.type))
       and (matching_tickets.status is null
            or case when cardinality(matching_tickets.status) = 1 then t.status = matching_tickets.status[1]
                    else t.status = any(matching_tickets.status) end)
       and (matching_tickets.priority is null or t.priority = any(matching_tickets.priority))
       and (matching_tickets.severity is null or t.severity = any(matching_tickets.severity))
       and (matching_tickets.category is null or t.category = any(matching_tickets.category))
       and (matching_tickets.tags is null or t.tags @> matching_tickets.tags)
       and (matching_tickets.assignee is null or t.assignee_id = matching_tickets.assignee)
       and (not matching_tickets.unassigned or t.assignee_id is null)
       and (matching_tickets.requester is null or t.requester_id = matching_tickets.requester)
       and (matching_tickets.created_after is null or t.created_at >= matching_tickets.created_after)
       and (matching_tickets.created_before is null or t.created_at < matching_tickets.created_before)
       and (matching_tickets.updated_after is null or t.updated_at >= matching_tickets.updated_after)
       and (matching_tickets.updated_before is null or t.updated_at < matching_tickets.updated_before);
end;

-- As processes of the release before call them, until they are replaced; a later migration drops them.
create or replace function visible_tickets(viewer uuid, staff boolean) returns setof tickets language sql stable begin atomic
    select t.* from visible_tickets(viewer, null, null, staff) t;
end;
create or replace function matching_tickets(
    viewer uuid, staff boolean, project text[], type ticket_type[], status ticket_status[],
    priority ticket_priority[], severity ticket_severity[], category text[], tags text[],
    assignee uuid, unassigned boolean, requester uuid,
    created_after timestamptz, created_before timestamptz, updated_after timestamptz, updated_before timestamptz)
returns setof tickets language sql stable begin atomic
    select t.*
      from visible_tickets(matching_tickets.viewer, matching_tickets.staff) t
     where (matching_tickets.project is null or t.project = any(matching_tickets.project))
       and (matching_tickets.type is null or t.type = any(matching_tickets.type))
       and (matching_tickets.status is null or t.status = any(matching_tickets.status))
       and (matching_tickets.priority is null or t.priority = any(matching_tickets.priority))
       and (matching_tickets.severity is null or t.severity = any(matching_tickets.severity))
       and (matching_tickets.category is null or t.category = any(matching_tickets.category))
       and (matching_tickets.tags is null or t.tags @> matching_tickets.tags)
       and (matching_tickets.assignee is null or t.assignee_id = matching_tickets.assignee)
       and (not matching_tickets.unassigned or t.assignee_id is null)
       and (matching_tickets.requester is null or t.requester_id = matching_tickets.requester)
       and (matching_tickets.created_after is null or t.created_at >= matching_tickets.created_after)
       and (matching_tickets.created_before is null or t.created_at < matching_tickets.created_before)
       and (matching_tickets.updated_after is null or t.updated_at >= matching_tickets.updated_after)
       and (matching_tickets.updated_before is null or t.updated_at < matching_tickets.updated_before);
end;
