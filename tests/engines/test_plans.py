"""What is asked of PostgreSQL again and again reads a little of the log, jobs and deliveries, whatever was counted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
import uuid_utils.compat as uuids
from psycopg.types.json import Jsonb

from ticketing.db import sql

MANY = 20_000
"""Events, and as many deliveries; a fourth as many jobs of each sort."""
BUSY = 10
"""Endpoints that share as many deliveries again, none of which is due."""
AHEAD = 5_000
"""Events that the fan-out has yet to read."""
LITTLE = 700
PAGE = 4_000
"""Rows that a statement may read: one that finds a few, and one that takes a page of the log or a batch."""
ENDPOINT, LANE = UUID(int=1), f"webhook:{UUID(int=1)}"
MADE = {"endpoint_id": str(ENDPOINT), "type": "ticket.created", "paused": False}
PAST, NOW = datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC)

# A log whose last events are new; queues that are paused, or not ours, full of what is due; others in which all is for
# later, or is announced or finished; deliveries that are settled but for a backlog.
FILL = f"""
insert into events (id, type, data, transaction_id)
select new_job_id(), 'ticket.created', '{{}}', (i * 600 / {MANY})::text::xid8 from generate_series(1, {MANY}) i;
update webhook_fan_out f set transaction_id = e.transaction_id, position = e.position
  from (select * from events order by transaction_id desc, position desc offset {AHEAD} limit 1) e;
update notification_place p set transaction_id = f.transaction_id, position = f.position from webhook_fan_out f;
update search_progress p set transaction_id = f.transaction_id, position = f.position from webhook_fan_out f;
insert into mails (id, template, locale, to_name, to_email, subject, status, settled_at, body, html_body)
select new_job_id(), 'reply', 'en', '', i || '@lumen.example', 'Come',
       case when i % 100 = 0 then 'pending' else 'sent' end::mail_status, case when i % 100 <> 0 then now() end,
       case when i % 100 = 0 then '' end, case when i % 100 = 0 then '' end
  from generate_series(1, {MANY}) i;
insert into webhook_endpoints (id, url, state)
select ('00000000-0000-0000-0000-00000000000' || i)::uuid, 'https://a.example', 'paused' from generate_series(1, 3) i;
insert into deliveries (id, endpoint_id, event_id, type, status, settled_at, next_attempt_at)
select new_job_id(), '{ENDPOINT}', new_job_id(), 'ticket.created',
       case when i % 10 = 0 then 'pending' else 'delivered' end::delivery_status,
       case when i % 10 <> 0 then now() end, case when i % 20 = 0 then now() - interval '1 day' end
  from generate_series(1, {MANY}) i;
insert into webhook_endpoints (id, url) select new_job_id(), 'https://a.example' from generate_series(1, {BUSY}) i;
insert into deliveries (id, endpoint_id, event_id, type, next_attempt_at)
select new_job_id(), w.id, new_job_id(), 'ticket.created', now() + interval '1 hour'
  from webhook_endpoints w cross join generate_series(1, {MANY // BUSY}) i where w.state = 'active';
insert into webhook_messages (event_id, format, body) select d.event_id, 'standard', '{{}}' from deliveries d;
insert into job_pauses (queue) values ('paused');
insert into jobs (id, kind, queue, priority, args, shown, max_attempts, run_at, lane, lane_limit, state, finished_at)
select new_job_id(), 'sample', k.queue, 2, '{{}}', '{{}}', 3, now() + k.due, k.lane, k.lane_limit, k.state,
       case k.state when 'completed' then now() when 'discarded' then now() - interval '2 days' end
  from generate_series(1, {MANY // 4}) i
 cross join (values ('default', interval '1 hour', null, null::int, 'available'::job_state),
                    ('default', interval '-1 hour', null, null, 'completed'),
                    ('default', interval '-1 hour', null, null, 'discarded'),
                    ('default', interval '1 hour', '{LANE}', 2, 'available'),
                    ('paused', interval '-1 hour', null, null, 'available'),
                    ('paused', interval '-1 hour', '{LANE}', 2, 'available'),
                    ('strange', interval '-1 hour', '{LANE}', 2, 'available')) k (queue, due, lane, lane_limit, state);
"""

STATES = {
    "never counted, as after a restore": (FILL,),
    "counted in a quiet hour, and no page known to be visible": ("analyze", FILL),
    "counted": (
        FILL,
        "vacuum analyze events, jobs, deliveries, webhook_messages, webhook_fan_out, webhook_endpoints, job_pauses",
        "vacuum analyze mails, notification_place",
    ),
}
READ = """
select t.relname, coalesce(sum(pg_stat_get_xact_numscans(t.oid)) filter (where part.oid = t.oid), 0)::int as scans,
       sum(pg_stat_get_xact_tuples_returned(part.oid))::int as rows
  from pg_class t
  join (select oid as table_id, oid from pg_class union all select indrelid, indexrelid from pg_index) part
    on part.table_id = t.oid
 where t.relname in ('events', 'jobs', 'deliveries', 'mails', 'webhook_messages')
 group by t.relname
 order by t.relname
"""
Statement = Callable[[psycopg.AsyncConnection[Any]], Awaitable[Any]]


def ids(number: int) -> list[UUID]:
    return [uuids.uuid7() for _ in range(number)]


async def jobs_of(conn: psycopg.AsyncConnection[Any], **given: Any) -> None:
    filters: dict[str, Any] = {"status": None, "type": None, "queue": None} | given
    await sql.jobs.list_jobs_of(conn, **filters, after=None, page_size=101)


async def audited(conn: psycopg.AsyncConnection[Any], **given: Any) -> None:
    filters: dict[str, Any] = {"type": None, "actor_ids": None, "no_actor": False, "ticket": None, "project": None}
    place: dict[str, Any] = {"upper": datetime.max.replace(tzinfo=UTC), "upper_id": UUID(int=0), "since": PAST}
    size: dict[str, Any] = {"scan": 101, "page_size": 101, "page_bytes": 1 << 22, "scopes": ["admin", "tickets:read"]}
    await sql.events.list_event_log(conn, **filters | place | size | given)


async def mails_of(conn: psycopg.AsyncConnection[Any], **given: Any) -> None:
    filters: dict[str, Any] = {"status": None, "template": None, "to": None} | given
    await sql.mails.list_mails(conn, **filters, after=None, page_size=101)


async def notified(conn: psycopg.AsyncConnection[Any], statement: Callable[..., Awaitable[Any]]) -> None:
    page = await sql.notifications.lock_notifications(conn, page_size=200)
    assert page
    await statement(conn, transaction_id=page["transaction_id"], position=page["position"], page_size=200)


RUN: dict[str, tuple[int, Statement]] = {
    "has_events_to_fan_out": (LITTLE, sql.webhooks.has_events_to_fan_out),
    "has_documents_to_write": (LITTLE, lambda c: sql.documents.has_documents_to_write(c, form=0)),
    "list_events_to_document": (LITTLE, lambda c: sql.documents.list_events_to_document(c, page_size=200)),
    "get_search_lateness": (LITTLE, sql.doctor.get_search_lateness),
    "list_events_to_fan_out": (
        LITTLE,
        lambda c: sql.webhooks.list_events_to_fan_out(c, page_size=200, page_bytes=1 << 22, longest=1 << 20),
    ),
    "list_feed": (
        PAGE,
        lambda c: sql.events.list_feed(
            c,
            after_transaction=300,
            after_position=0,
            type=None,
            project=None,
            reader=None,
            scopes=None,
            scan=1000,
            scan_bytes=1 << 22,
            page_size=101,
        ),
    ),
    "has_events_to_notify_of": (LITTLE, sql.notifications.has_events_to_notify_of),
    "list_notifications": (PAGE, lambda c: notified(c, sql.notifications.list_notifications)),
    "forget_notifications": (PAGE, lambda c: notified(c, sql.notifications.forget_notifications)),
    "get_mail_late_seconds": (LITTLE, sql.doctor.get_mail_late_seconds),
    "list_mails, of all": (LITTLE, mails_of),
    "list_mails, to a person": (LITTLE, lambda c: mails_of(c, to="7@Lumen.example")),
    "fail_stray_mails": (PAGE, lambda c: sql.mails.fail_stray_mails(c, error="", minutes=15, batch=500)),
    "delete_old_mails": (LITTLE, lambda c: sql.mails.delete_old_mails(c, days=30, batch=1000)),
    "delete_captured_mails": (LITTLE, lambda c: sql.mails.delete_captured_mails(c, most=10_000, batch=1000)),
    "list_event_log, of all": (PAGE, audited),
    "list_event_log, of tickets": (LITTLE, lambda c: audited(c, ticket=[7])),
    "list_event_log, of types that nobody has seen": (LITTLE, lambda c: audited(c, type=["token.created"])),
    "list_event_log, by nobody": (PAGE, lambda c: audited(c, actor_ids=[UUID(int=7)], scan=1000)),
    "list_event_log, of long ago": (
        LITTLE,
        lambda c: audited(c, upper=PAST, type=["ticket.created"], scan=5000),
    ),
    "get_event_log": (LITTLE, sql.events.get_event_log),
    "is_event_log_ahead": (LITTLE, sql.events.is_event_log_ahead),
    "get_held_event_seconds": (LITTLE, sql.doctor.get_held_event_seconds),
    "get_fan_out_late_seconds": (LITTLE, sql.doctor.get_fan_out_late_seconds),
    "expire_events": (LITTLE, lambda c: sql.events.expire_events(c, recorded_before=PAST, batch=20)),
    "insert_deliveries": (
        LITTLE,
        lambda c: sql.webhooks.insert_deliveries(
            c,
            rows=Jsonb([{"place": i, "id": str(id_), **MADE, "event_id": str(id_)} for i, id_ in enumerate(ids(50))]),
            queue="webhooks",
            max_attempts=3,
            group_limit=2,
        ),
    ),
    "list_events_to_replay": (
        LITTLE,
        lambda c: sql.webhooks.list_events_to_replay(
            c, endpoint_id=ENDPOINT, after=UUID(int=0), until=UUID(int=2**128 - 1), since=None, page_size=500
        ),
    ),
    "list_stray_deliveries": (
        PAGE,
        lambda c: sql.webhooks.list_stray_deliveries(
            c, overdue_seconds=900.0, after_due=None, after=None, page_size=500
        ),
    ),
    "list_held_back": (PAGE, lambda c: sql.webhooks.list_held_back(c, endpoint_id=ENDPOINT, after=None, page_size=500)),
    "delete_old_deliveries": (PAGE, lambda c: sql.webhooks.delete_old_deliveries(c, days=30, batch=1000)),
    "delete_old_deliveries, with many": (PAGE, lambda c: sql.webhooks.delete_old_deliveries(c, days=0, batch=300)),
    "delete_orphaned_deliveries": (PAGE, lambda c: sql.webhooks.delete_orphaned_deliveries(c, batch=1000)),
    "list_jobs, of a type that is misspelt": (LITTLE, lambda c: jobs_of(c, type="sampel")),
    "list_jobs, in a queue": (LITTLE, lambda c: jobs_of(c, queue="strange")),
    "list_jobs, with a status that none has": (LITTLE, lambda c: jobs_of(c, status="discarded")),
    "list_jobs, with a status": (LITTLE, lambda c: jobs_of(c, type="sample", status="completed")),
    "list_unheard": (
        LITTLE,
        lambda c: sql.filters.list_unheard(c, type="sampel", queue="strnage", types=["other"], queues=["other"]),
    ),
    "is_queue": (LITTLE, lambda c: sql.queues.is_queue(c, known=["default"], name="absent")),
    "list_backlogs": (PAGE, lambda c: sql.doctor.list_backlogs(c, glance=10, most=100, page_size=20)),
    "dispatch_jobs": (
        PAGE,
        lambda c: sql.job_engine.dispatch_jobs(
            c, queues=["default", "paused"], rooms=[500, 500], resend_after=timedelta(seconds=20), void_before=None
        ),
    ),
    "claim_due_jobs": (
        LITTLE,
        lambda c: sql.job_engine.claim_due_jobs(
            c, queues=["default", "paused"], rooms=[8, 8], lease=timedelta(seconds=15)
        ),
    ),
    "claim_jobs": (LITTLE, lambda c: sql.job_engine.claim_jobs(c, job_ids=ids(8), lease=timedelta(seconds=15))),
    "list_missed_jobs": (LITTLE, lambda c: sql.job_engine.list_missed_jobs(c, job_ids=ids(8))),
    "complete_jobs": (LITTLE, lambda c: sql.job_engine.complete_jobs(c, job_ids=ids(2), fences=[1, 1])),
    "extend_leases": (
        LITTLE,
        lambda c: sql.job_engine.extend_leases(c, job_ids=ids(2), fences=[1, 1], lease=timedelta(seconds=15)),
    ),
    "rescue_jobs": (LITTLE, sql.job_engine.rescue_jobs),
    "recall_jobs": (LITTLE, lambda c: sql.job_engine.recall_jobs(c, job_ids=ids(8))),
    "delete_finished_jobs": (
        PAGE,
        lambda c: sql.job_engine.delete_finished_jobs(
            c, completed_for=timedelta(hours=24), failed_for=timedelta(days=30), batch=1000
        ),
    ),
    "measure_queues": (PAGE, lambda c: sql.job_engine.measure_queues(c, queues=["default", "paused"], most=1000)),
    "run_schedule": (
        LITTLE,
        lambda c: sql.job_engine.run_schedule(
            c,
            name="sample",
            due=NOW,
            slot=NOW,
            next_run_at=NOW,
            sweeps=True,
            kind="sample",
            args=Jsonb({}),
            queue="default",
            priority=2,
            max_attempts=3,
            unique_key="sample 1",
            shown=[],
        ),
    ),
}


@pytest.fixture(scope="module", params=STATES)
def filled(request: pytest.FixtureRequest, new_database: Callable[..., str], slowly: None) -> str:
    """A database with much in it, of which the planner knows little."""
    url = new_database()
    with psycopg.connect(url, autocommit=True) as conn:
        for table in (
            "events",
            "jobs",
            "deliveries",
            "webhook_messages",
            "webhook_fan_out",
            "search_progress",
            "search_rebuilds",
            "webhook_endpoints",
            "job_pauses",
        ):
            conn.execute(f"alter table {table} set (autovacuum_enabled = false)")
        for text in STATES[request.param]:
            conn.execute(text)
    return url


@pytest.mark.parametrize("name", RUN)
def test_it_reads_a_little(filled: str, name: str) -> None:
    """No table as a whole, and of its indexes no more than what the statement is for."""
    most, statement = RUN[name]

    async def read() -> list[tuple[str, str, int, int]]:
        found = []
        async with await psycopg.AsyncConnection.connect(filled, options="-c jit=off") as conn:
            for mode in ("force_custom_plan", "force_generic_plan"):
                await conn.execute(f"set plan_cache_mode = {mode}")
                before = await (await conn.execute(READ)).fetchall()
                await statement(conn)
                after = await (await conn.execute(READ)).fetchall()
                found += [
                    (mode, table, scans - scans_before, rows - rows_before)
                    for (table, scans, rows), (_, scans_before, rows_before) in zip(after, before, strict=True)
                ]
                await conn.rollback()
        return found

    found = asyncio.run(read())
    assert [each for each in found if each[2] or each[3] > most] == []
