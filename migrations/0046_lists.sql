-- transaction: none
-- An index for each sort, and for each filter that finds few tickets. What stands behind the number is checked inside the
-- index: of all tickets 93 % have ended, and a list of the others need not fetch those. The rare values of a channel or
-- a resolution are found without a walk through all tickets. 0047 drops those that these replace.
create index concurrently if not exists tickets_by_created on tickets (created_at, number, status, project, updated_at);
create index concurrently if not exists tickets_by_updated on tickets (updated_at, number, status, project, created_at);
create index concurrently if not exists tickets_by_priority
    on tickets (priority, number, status, project, created_at, updated_at, requester_id);
create index concurrently if not exists tickets_by_assignee on tickets (assignee_id, created_at, number, status);
create index concurrently if not exists tickets_by_requester on tickets (requester_id, created_at, number, status);
create index concurrently if not exists tickets_by_requester_updated
    on tickets (requester_id, updated_at, number, status);
create index concurrently if not exists tickets_by_channel on tickets (channel);
create index concurrently if not exists tickets_by_resolution on tickets (resolution) where resolution <> 'none';
