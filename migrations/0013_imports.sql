-- Imports: each run is a row, and every issue and comment knows what it came from. So a run can tell what was edited
-- there from what was changed here, lead references to tickets, and be taken back.

create table import_runs (
    number      bigint generated always as identity primary key,
    source      text not null,
    project     text not null,
    file        text not null,
    started_at  timestamptz(3) not null default now(),
    -- Null while it runs, and if it was interrupted.
    ended_at    timestamptz(3),
    created     int not null default 0,
    updated     int not null default 0,
    comments    int not null default 0,
    reverted_at timestamptz(3)
);

-- The number of its ticket is an issue's before the ticket is there, so that the texts of others can refer to it.
create table imported_issues (
    source     text not null,
    id         text not null,
    ticket     bigint not null unique,
    author     text not null,
    created_at timestamptz(3) not null,
    run        bigint,
    -- Digests of fields as they were there, and as they were written here; null until the ticket is there.
    seen       jsonb,
    written    jsonb,
    -- The ticket's, as imports left it.
    updated_at timestamptz(3),
    primary key (source, id)
);
create index imported_issues_run on imported_issues (run);

-- An occasion tells who said it when, and which one it is of those they said in that second (importing/issues.py).
create table imported_comments (
    comment  uuid primary key,
    ticket   bigint not null,
    run      bigint,
    occasion text not null,
    seen     text,
    written  text
);
create index imported_comments_ticket on imported_comments (ticket);
create index imported_comments_run on imported_comments (run);

-- Who a person of a system is here.
create table imported_people (
    system  text not null,
    login   text not null,
    user_id uuid not null,
    primary key (system, login)
);

-- What earlier imports brought.

insert into imported_people (system, login, user_id)
select external_source, lower(external_id), (array_agg(id order by id))[1]
  from users where external_source is not null
 group by external_source, lower(external_id);

-- One repository had as many names as there are ways to write it. Of tickets that are one issue, the one whose source
-- is in lower case gets it, or else the first.
insert into imported_issues (source, id, ticket, author, created_at, seen, written)
select case when t.external_source like 'github:%'
                  and row_number() over (partition by lower(t.external_source), t.external_id
                                         order by t.external_source <> lower(t.external_source), t.number) = 1
            then lower(t.external_source) else t.external_source end,
       t.external_id, t.number, lower(coalesce(u.external_id, u.name)), t.created_at, '{}', '{}'
  from tickets t join users u on u.id = t.requester_id
 where t.external_source is not null;

insert into imported_comments (comment, ticket, occasion)
select c.id, c.ticket,
       concat(to_char(c.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '/',
              lower(coalesce(u.external_id, u.name)), '/',
              row_number() over (partition by c.ticket, c.author_id, date_trunc('second', c.created_at)
                                 order by c.created_at, c.id))
  from comments c join users u on u.id = c.author_id
 where c.external_id is not null;

-- Last, what others wait for: rows of tickets, and the tables that are referred to.
update tickets t set external_source = i.source
  from imported_issues i
 where i.ticket = t.number and i.source <> t.external_source;
alter table import_runs add foreign key (project) references projects;
alter table imported_issues add foreign key (run) references import_runs;
alter table imported_comments add foreign key (run) references import_runs;
alter table imported_people add foreign key (user_id) references users;
