-- Checks: what the doctor asks of PostgreSQL. Nothing is changed.

-- name: get_server_figures()^
-- returns: ServerFigures
-- Whether it takes writes and ends slow statements, how it plans them and writes times, how many of its connections are
-- taken, and what time it has.
select current_setting('transaction_read_only')::boolean as read_only,
       current_setting('statement_timeout') <> '0' and current_setting('lock_timeout') <> '0' as limits,
       current_setting('jit')::boolean as jit, current_setting('timezone') as timezone,
       -- UTC has many names.
       not exists (select from unnest('{2000-01-01 00:00Z, 2000-07-01 00:00Z}'::timestamptz[]) moment
                    where moment::timestamp <> moment at time zone 'UTC') as utc,
       current_setting('max_connections')::integer as max_connections,
       -- Of the sessions of others, a role without pg_read_all_stats is shown whose they are and in which database.
       (select count(*) from pg_stat_activity
         where backend_type = 'client backend'
            or backend_type is null and usesysid is not null and datid is not null) as connections,
       extract(epoch from clock_timestamp())::float8 as clock;

-- name: list_lagging_standbys(behind_bytes)
-- returns: LaggingStandby
-- Standbys, and slots of standbys that are gone, for which PostgreSQL retains more WAL than so much.
select s.slot_name::text as name, s.active, pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)::bigint as behind
  from pg_replication_slots s
 where not pg_is_in_recovery() and pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn) > :behind_bytes::bigint
 order by behind desc;

-- name: list_long_transactions(open_seconds)
-- returns: LongTransaction
-- Transactions that write and have been open for long, those of other databases included: the log ends before them.
select a.pid::text as name, coalesce(nullif(a.application_name, ''), a.usename::text, 'unknown') as whose,
       a.datname::text as database,
       extract(epoch from now() - a.xact_start)::float8 as seconds
  from pg_stat_activity a
 where a.backend_xid is not null and a.xact_start < now() - make_interval(secs => :open_seconds::float8)
 union all
select p.gid, p.owner::text, p.database::text, extract(epoch from now() - p.prepared)::float8
  from pg_prepared_xacts p
 where p.prepared < now() - make_interval(secs => :open_seconds::float8)
 order by seconds desc;

-- name: list_blockers(open_seconds)
-- returns: Blocker
-- Sessions that keep others from writing to this database, in transactions that have been open for longer than this.
-- They hold a lock that excludes writes to a table of ours, or somebody waits for them. Of the sessions of other roles, a
-- role without pg_read_all_stats is shown neither age nor application.
with held as (
    select l.pid, max(c.relname) as table_name
      from pg_locks l join pg_class c on c.oid = l.relation
     where l.granted and l.database = (select oid from pg_database where datname = current_database())
       and c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p')
       and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
     group by l.pid
), awaited as (
    select distinct blocker as pid from pg_locks l cross join unnest(pg_blocking_pids(l.pid)) blocker where not l.granted
)
select a.pid, coalesce(a.usename::text, 'unknown') as role, nullif(a.application_name, '') as application,
       a.state, extract(epoch from clock_timestamp() - a.xact_start)::float8 as seconds, h.table_name::text as table_name
  from pg_stat_activity a left join held h using (pid)
 where a.datname = current_database() and a.pid <> pg_backend_pid()
   and (h.pid is not null or a.pid in (select pid from awaited))
   and coalesce(a.xact_start < clock_timestamp() - make_interval(secs => :open_seconds::float8), true)
   -- Whoever waits as well is not the one to end.
   and cardinality(pg_blocking_pids(a.pid)) = 0
 order by a.xact_start nulls last;

-- name: list_invalid_indexes()
-- returns: InvalidIndex
-- Indexes whose concurrent build was interrupted: every write maintains them, and no read uses them.
select i.indexrelid::regclass::text as name
  from pg_index i join pg_class c on c.oid = i.indexrelid
 where not i.indisvalid and c.relnamespace = current_schema()::regnamespace
   and not exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid)
 order by name;

-- name: get_held_event_seconds()$
-- Seconds since the oldest event was written that the feed does not show yet, as an older transaction is still open.
-- Empty: none waits.
select extract(epoch from now() - min(held.recorded_at))::float8
  from (select e.recorded_at from events e
         where e.transaction_id >= log_end()
         order by e.transaction_id, e.position
         limit 1000) held;

-- name: list_sealing_keys()
-- returns: SealingKey
-- The keys without which some endpoint's secret cannot be opened.
select s.key_id, count(distinct s.endpoint_id) as endpoints
  from webhook_secrets s
 where s.expires_at is null or s.expires_at > now()
 group by s.key_id
 order by s.key_id;

-- name: list_backlogs(glance, most, page_size)
-- returns: Backlog
-- The endpoints with the most deliveries to come, counted as far as `most`, and for how long the oldest has been due. All
-- endpoints are compared as far as `glance`.
with longest as (
    select w.id, p.pending
      from webhook_endpoints w cross join lateral (
        select count(*) as pending
          from (select from deliveries where endpoint_id = w.id and status = 'pending'
                 order by id limit :glance::integer) d
      ) p
     where p.pending > 0
     order by p.pending desc, w.id
     limit :page_size::integer
)
select l.id as endpoint_id, b.pending, b.late_seconds
  from longest l cross join lateral (
    select count(*) as pending, extract(epoch from now() - min(d.next_attempt_at))::float8 as late_seconds
      from (select next_attempt_at from deliveries
             where endpoint_id = l.id and status = 'pending' order by id limit :most::integer) d
  ) b
 order by b.pending desc, l.id;

-- name: get_mail_late_seconds()$
-- For how long the oldest mail that is still to be sent has been waiting, or the first event in the settled log of which
-- people are still to be told, whichever is longer. Empty: there is neither.
select extract(epoch from now() - least(
    (select m.created_at from mails m where m.status = 'pending' order by m.id limit 1),
    (select next.recorded_at
       from (select * from notification_place limit 1) f cross join lateral (
         select e.recorded_at from events_after(f.transaction_id, f.position) e
          order by e.transaction_id, e.position limit 1
       ) next)))::float8;

-- name: get_oldest_pending_mail()^
-- returns: PendingMail
-- For how long the mail that has been waiting longest has been, and what came of the last try.
select extract(epoch from clock_timestamp() - m.created_at)::float8 as seconds, m.error
  from mails m
 where m.status = 'pending'
 order by m.id
 limit 1;

-- name: get_fan_out_late_seconds()$
-- For how long the first event has been in the settled log that deliveries are still to be made of. Empty: there is none,
-- or no endpoint.
select extract(epoch from now() - next.recorded_at)::float8
  from (select * from webhook_fan_out limit 1) f cross join lateral (
    select e.recorded_at from events_after(f.transaction_id, f.position) e
     order by e.transaction_id, e.position limit 1
  ) next
 where exists (select from webhook_endpoints);

-- name: get_search_lateness()^
-- returns: SearchLateness
-- For how long the first event has been in the settled log whose text cannot be found yet, empty if there is none; and for
-- how long documents of all tickets, or of a project's, have been waiting to be written again.
select (select extract(epoch from now() - next.recorded_at)::float8
          from (select * from search_progress limit 1) s cross join lateral (
            select e.recorded_at from events_after(s.transaction_id, s.position) e
             order by e.transaction_id, e.position limit 1
          ) next) as late_seconds,
       r.done, r.last, extract(epoch from now() - r.requested_at)::float8 as rebuilding_seconds
  from (values (true)) one
  left join (select * from search_rebuilds where finished_at is null order by id limit 1) r on true;

-- name: list_late_schedules(names)
-- returns: LateSchedule
-- How long ago the next moment of each schedule was; less than nothing as long as it is to come.
select name, extract(epoch from now() - next_run_at)::float8 as late_seconds
  from job_schedules where name = any(:names);

-- name: list_pauses()
-- returns: Pause
-- Queues that are paused, and for how long.
select p.queue, extract(epoch from now() - p.paused_at)::float8 as seconds from job_pauses p order by p.queue;
