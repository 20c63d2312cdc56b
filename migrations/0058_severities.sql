-- transaction: none
-- Of the tickets of a severity most have ended: whether one has is checked inside the index, as in those of 0046. It
-- begins as the one that it replaces, so the release before finds all that it looks for.
create index concurrently if not exists tickets_by_severity
    on tickets (severity, created_at, number, status, project) where severity <> 'none';
drop index concurrently if exists tickets_severity;
