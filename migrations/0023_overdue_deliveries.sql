-- transaction: none
-- What is overdue among the deliveries that wait is found without a look at the others (list_stray_deliveries).

create index concurrently if not exists deliveries_due on deliveries (next_attempt_at, id)
    where status = 'pending' and next_attempt_at is not null;
