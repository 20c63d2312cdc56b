-- The demo: what `make up` shows of the past of webhooks, jobs and mail, which otherwise only a worker writes.

-- name: number_tickets_from(first)$
-- Let the next ticket have this number.
select setval(pg_get_serial_sequence('tickets', 'number'), :first, false);

-- name: pause_webhook_endpoints(ids)!
-- Pause endpoints, and let what this transaction has written so far be told to nobody.
with passed as (
    update webhook_fan_out
       set transaction_id = pg_current_xact_id(), position = (select max(position) from events)
)
update webhook_endpoints set state = 'paused' where id = any(:ids);

-- name: insert_deliveries(rows)!
-- Add deliveries that were settled at once, each with its attempts.
-- Rows: {id, endpoint_id, event_id, type, status, created_at, attempts: [{milliseconds, status?, answer?, error?}]}
with given as (
    select *
      from jsonb_to_recordset(:rows) as r (id uuid, endpoint_id uuid, event_id uuid, type text, status delivery_status,
                                           created_at timestamptz, attempts jsonb)
), inserted as (
    insert into deliveries (id, endpoint_id, event_id, type, status, attempt_count, tries, created_at, settled_at)
    select id, endpoint_id, event_id, type, status, jsonb_array_length(attempts), jsonb_array_length(attempts),
           created_at, created_at + jsonb_array_length(attempts) * interval '5 seconds'
      from given
    returning id
)
insert into delivery_attempts (delivery_id, number, started_at, milliseconds, status, answer, error)
select g.id, a.number, g.created_at + (a.number - 1) * interval '5 seconds', (a.attempt ->> 'milliseconds')::int,
       (a.attempt ->> 'status')::int, a.attempt ->> 'answer', a.attempt ->> 'error'
  from inserted join given g using (id)
 cross join lateral jsonb_array_elements(g.attempts) with ordinality as a (attempt, number);

-- name: insert_jobs(rows)!
-- Add jobs as they are.
-- Rows: the columns of `jobs` without defaults, and those that differ from them
insert into jobs (id, kind, queue, priority, args, shown, state, attempt, max_attempts, run_at, started_at, finished_at,
                  errors, created_at)
select id, kind, queue, priority, args, shown, state, attempt, max_attempts, run_at, started_at, finished_at, errors,
       created_at
  from jsonb_populate_recordset(null::jobs, :rows);

-- name: insert_captured_mails(rows)!
-- Add mails that were captured just now.
-- Rows: {id, template, locale, to_name, to_email, subject, body, html_body}
insert into mails (id, template, locale, to_name, to_email, subject, body, html_body, status, settled_at)
select r.*, 'captured', clock_timestamp()
  from jsonb_to_recordset(:rows) as r (id uuid, template text, locale text, to_name text, to_email text, subject text,
                                       body text, html_body text);
