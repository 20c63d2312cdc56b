-- What the service does by itself: it closes what was resolved long ago, and tells of critical tickets that wait.

-- Critical tickets that were found unanswered; each is told of once.
create table escalations (
    ticket       bigint primary key references tickets,
    escalated_at timestamptz(3) not null
);

-- Both look at few tickets of many.
create index tickets_resolved on tickets (resolved_at, number) where status = 'resolved';
create index tickets_critical on tickets (created_at, number)
    where severity = 'critical' and status in ('open', 'in_progress');
