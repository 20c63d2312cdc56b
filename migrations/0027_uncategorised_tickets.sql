-- transaction: none
-- For `category=none`: of a project whose tickets nearly all have a category, the list reads the few that have none.
create index concurrently if not exists tickets_uncategorised on tickets (project, created_at, number)
    where category is null;
