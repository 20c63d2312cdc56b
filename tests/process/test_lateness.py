"""Figures of what is late, as a worker measures them, and of what is slow."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable

import httpx
import psycopg
import pytest
import uuid_utils.compat as uuids
from prometheus_client import REGISTRY
from test_up import SECONDS, started
from test_work import free_port, is_ready

from conftest import await_, configured, logged
from ticketing.db import pool, queries, sql
from ticketing.jobs import kinds, schedules
from ticketing.monitoring import checks, lateness
from working import SETTLED


@pytest.fixture
def url(new_database: Callable[..., str]) -> str:
    return new_database()


def looked(url: str, **settings: str) -> None:
    async def within() -> None:
        async with pool.connected(url, 1):
            await schedules.register()
            await lateness.look()

    lateness._next_look = 0.0
    with configured(database_url=url, **settings):
        asyncio.run(within())


def figure(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def test_events_without_deliveries_are_measured_and_the_doctor_tells(url: str) -> None:
    async def webhooks() -> checks.Check:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
            return await checks._fan_out(conn)

    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "insert into events (id, type, data, recorded_at)"
            " values (%s, 'project.created', '{}', now() - interval '90 s')",
            [uuids.uuid7()],
        )
        await_(lambda: conn.execute(SETTLED).rowcount == 1)
        looked(url)
        assert figure("ticketing_webhook_fan_out_late_seconds") == 0
        assert asyncio.run(webhooks()).passed
        conn.execute("insert into webhook_endpoints (id, url) values (%s, 'https://a.example')", [uuids.uuid7()])
        looked(url)
        late = figure("ticketing_webhook_fan_out_late_seconds")
        assert late and 89 < late < 200
        assert not asyncio.run(webhooks()).passed


def test_what_is_not_found_yet_is_measured_and_the_doctor_tells(url: str) -> None:
    async def full_text() -> checks.Check:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
            return await checks._search(conn)

    with psycopg.connect(url, autocommit=True) as conn:
        looked(url)
        assert figure("ticketing_search_late_seconds") == 0
        assert asyncio.run(full_text()).passed
        conn.execute(
            "insert into events (id, type, data, recorded_at)"
            " values (%s, 'ticket.created', '{}', now() - interval '90 s')",
            [uuids.uuid7()],
        )
        await_(lambda: conn.execute(SETTLED).rowcount == 1)
        looked(url)
        late = figure("ticketing_search_late_seconds")
        assert late and 89 < late < 200
        assert not asyncio.run(full_text()).passed
        conn.execute("update search_progress set position = (select max(position) from events)")
        conn.execute("update search_progress set transaction_id = (select max(transaction_id) from events)")
        conn.execute("insert into search_rebuilds (last, requested_at) values (70, now() - interval '90 s')")
        looked(url)
        late = figure("ticketing_search_rebuilding_seconds")
        assert late and 89 < late < 200
        assert "up to number 0 of 70" in asyncio.run(full_text()).finding


def test_mails_that_wait_and_events_that_are_untold_are_measured(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        await_(lambda: conn.execute(SETTLED).rowcount == 1)
        looked(url)
        assert figure("ticketing_mail_late_seconds") == 0
        conn.execute(
            "insert into mails (id, template, locale, to_name, to_email, subject, body, html_body, status, created_at)"
            " values (%s, 'invitation', 'en', '', 'a@b.example', 'Come', '', '', 'pending', now() - interval '90 s')",
            [uuids.uuid7()],
        )
        looked(url)
        late = figure("ticketing_mail_late_seconds")
        assert late and 89 < late < 200
        looked(url, outbound="off")
        assert figure("ticketing_mail_late_seconds") == 0
        conn.execute("update mails set status = 'sent', body = null, html_body = null, settled_at = now()")
        conn.execute(
            "insert into events (id, type, data, recorded_at)"
            " values (%s, 'project.created', '{}', now() - interval '300 s')",
            [uuids.uuid7()],
        )
        await_(lambda: conn.execute(SETTLED).rowcount == 1)
        looked(url)
        late = figure("ticketing_mail_late_seconds")
        assert late and 299 < late < 400


def test_an_open_transaction_that_holds_up_the_feed_is_measured_until_it_ends(url: str, server_url: str) -> None:
    """One in another database of the server does so as well."""
    with psycopg.connect(url, autocommit=True) as conn, psycopg.connect(server_url) as holding:
        await_(lambda: conn.execute(SETTLED).rowcount == 1)
        looked(url)
        assert figure("ticketing_feed_lag_seconds") == 0
        holding.execute("select pg_current_xact_id()")
        for seconds in (90, 30):
            conn.execute(
                "insert into events (id, type, data, recorded_at)"
                " values (%s, 'ticket.created', '{}', now() - make_interval(secs => %s))",
                [uuids.uuid7(), seconds],
            )
        looked(url)
        late = figure("ticketing_feed_lag_seconds")
        assert late and 89 < late < 200
        holding.rollback()
        await_(lambda: conn.execute(SETTLED).rowcount == 1)
        looked(url)
        assert figure("ticketing_feed_lag_seconds") == 0


def test_what_waits_for_an_endpoint_is_measured_until_it_is_gone(url: str) -> None:
    endpoint, other = uuids.uuid7(), uuids.uuid7()
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "insert into webhook_endpoints (id, url) values (%s, 'https://a.example'), (%s, 'https://b.example')",
            [endpoint, other],
        )
        for seconds in (90, 30, -600):
            conn.execute(
                "insert into deliveries (id, endpoint_id, event_id, type, next_attempt_at)"
                " values (%s, %s, %s, 'ticket.created', now() - make_interval(secs => %s))",
                [uuids.uuid7(), endpoint, uuids.uuid7(), seconds],
            )
        looked(url)
        assert figure("ticketing_webhook_backlog", endpoint=str(endpoint)) == 3
        late = figure("ticketing_webhook_backlog_late_seconds", endpoint=str(endpoint))
        assert late and 89 < late < 200
        assert figure("ticketing_webhook_backlog", endpoint=str(other)) is None
        conn.execute("delete from deliveries")
        looked(url)
    assert figure("ticketing_webhook_backlog", endpoint=str(endpoint)) == 0
    assert figure("ticketing_webhook_backlog_late_seconds", endpoint=str(endpoint)) == 0


def test_only_the_endpoints_with_the_most_to_come_have_figures(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lateness, "ENDPOINTS", 1)
    few, many = uuids.uuid7(), uuids.uuid7()
    with psycopg.connect(url, autocommit=True) as conn:
        for endpoint, count in ((few, 1), (many, 2)):
            conn.execute("insert into webhook_endpoints (id, url) values (%s, 'https://a.example')", [endpoint])
            for _ in range(count):
                conn.execute(
                    "insert into deliveries (id, endpoint_id, event_id, type) values (%s, %s, %s, 'ticket.created')",
                    [uuids.uuid7(), endpoint, uuids.uuid7()],
                )
    looked(url)
    assert figure("ticketing_webhook_backlog", endpoint=str(many)) == 2
    assert figure("ticketing_webhook_backlog", endpoint=str(few)) is None


def test_a_schedule_whose_moment_has_passed_is_late(url: str) -> None:
    looked(url)
    name = next(iter(kinds.SCHEDULES))
    assert figure("ticketing_schedule_late_seconds", schedule=name) == 0
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("update job_schedules set next_run_at = now() - interval '1 hour' where name = %s", [name])
    looked(url)
    late = figure("ticketing_schedule_late_seconds", schedule=name)
    assert late and 3599 < late < 3700


def test_a_worker_s_clock_is_compared_with_the_database_s(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    true = time.time
    with logged(lateness) as lines:
        looked(url)
        with monkeypatch.context() as patch:
            patch.setattr("time.time", lambda: true() + 600)
            looked(url)
            looked(url)
            ahead = figure("ticketing_clock_ahead_seconds")
        looked(url)
    assert ahead and 599 < ahead < 601
    assert [line["event"] for line in lines] == ["the clock is wrong", "the clock is right again"]


def test_a_slow_statement_is_logged_by_its_name_without_what_it_was_given(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask() -> None:
        async with pool.connected(url, 1), pool.connection() as conn:
            await sql.users.get_user_by_email(conn, email="ada@lumen.example")

    with logged(queries) as lines:
        asyncio.run(ask())
        monkeypatch.setattr(queries, "slow_seconds", 0.0)
        asyncio.run(ask())
    (line,) = lines
    assert (line["event"], line["query"], line["log_level"]) == ("slow statement", "get_user_by_email", "warning")
    assert line["ms"] > 0
    assert "lumen" not in str(line)


def test_the_figures_of_two_processes_are_those_of_both(url: str, redis_url: str) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    settings = {"TICKETING_DATABASE_URL": url, "TICKETING_REDIS_URL": redis_url, "TICKETING_POOL_SIZE": "3"}
    with started("work", "--processes", "2", "--port", str(port), **settings):
        await_(lambda: is_ready(address), SECONDS)
        await_(lambda: "\nticketing_pool_connections 6.0\n" in httpx.get(f"{address}/metrics").text, SECONDS)
        await_(lambda: "\nticketing_clock_ahead_seconds " in httpx.get(f"{address}/metrics").text, SECONDS)
        figures = httpx.get(f"{address}/metrics").text
    assert re.search(r'\nticketing_build_info\{python="3\.[\d.]+",version="[\d.]+"\} 1\.0\n', figures)
    assert re.search(r"\nticketing_pool_in_use \d", figures)


def test_a_paused_queue_is_measured_until_it_is_resumed(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("insert into job_pauses (queue, paused_at) values ('upkeep', now() - interval '1 hour')")
        looked(url)
        paused = figure("ticketing_queue_paused_seconds", queue="upkeep")
        assert paused and 3599 < paused < 3700
        conn.execute("delete from job_pauses")
        looked(url)
    assert figure("ticketing_queue_paused_seconds", queue="upkeep") == 0


def test_where_nothing_is_sent_no_endpoint_is_late(url: str) -> None:
    endpoint = uuids.uuid7()
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("insert into webhook_endpoints (id, url) values (%s, 'https://a.example')", [endpoint])
        conn.execute(
            "insert into deliveries (id, endpoint_id, event_id, type, next_attempt_at)"
            " values (%s, %s, %s, 'ticket.created', now() - interval '1 hour')",
            [uuids.uuid7(), endpoint, uuids.uuid7()],
        )
    late = {"endpoint": str(endpoint)}
    for outbound, seconds in (("on", 3600), ("off", 0)):
        looked(url, outbound=outbound)
        assert figure("ticketing_webhook_backlog", **late) == 1
        assert figure("ticketing_webhook_backlog_late_seconds", **late) == pytest.approx(seconds, abs=100)
