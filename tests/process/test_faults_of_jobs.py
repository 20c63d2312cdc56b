"""Every fault that jobs and deliveries promise to survive: workers, the relay, Valkey and receivers."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from chaos import faults
from chaos.orders import place_now
from chaos.processes import await_
from chaos.run import kept_alive
from chaos.stand import PROJECT, Stand, standing

pytestmark = pytest.mark.database

LEASE = 3
RESEND = 3
SLACK = 3.0
"""Other tests run as well: every figure below is that of a quiet machine, and this."""
Database = psycopg.Connection[dict[str, Any]]


@pytest.fixture(scope="module")
def stand(unmeasured: None) -> Iterator[Stand]:
    settings = {"TICKETING_JOB_LEASE_SECONDS": str(LEASE), "TICKETING_JOB_RESEND_SECONDS": str(RESEND)}
    with standing(apis=1, settings=settings) as stand, kept_alive(stand):
        yield stand


@pytest.fixture
def conn(stand: Stand) -> Iterator[Database]:
    with stand.database() as conn:
        # The workers are there, and have nothing left to do.
        assert_effects(conn, [place_now(conn)], 30)
        yield conn


def assert_effects(conn: Database, orders: Sequence[UUID], seconds: float) -> float:
    """Each of them has its effect in time, and none has two; gives the seconds that took."""
    took = await_(lambda: len(effects(conn, orders)) == len(orders), "every order has its effect", seconds)
    await_(lambda: not unfinished(conn), "every job has ended", 10)
    assert set(effects(conn, orders).values()) == {1}
    return took


def effects(conn: Database, orders: Sequence[UUID]) -> Counter[UUID]:
    rows = conn.execute("select order_id from chaos_effects where order_id = any(%s)", [list(orders)])
    return Counter(row["order_id"] for row in rows)


def unfinished(conn: Database) -> list[dict[str, Any]]:
    return conn.execute("select * from unfinished_jobs where kind = 'chaos.effect'").fetchall()


def running(conn: Database) -> int:
    row = conn.execute("select count(*) from jobs where state = 'running'").fetchone()
    assert row
    return int(row["count"])


def test_jobs_of_killed_workers_are_begun_anew_when_their_lease_is_over(stand: Stand, conn: Database) -> None:
    orders = [place_now(conn, seconds=2) for _ in range(6)]
    await_(lambda: running(conn) >= 3, "many of them run")
    for worker in stand.workers:
        worker.kill()
    for worker in stand.workers:
        worker.start()
    # Two for the relay to see it, two for the job, and one to start Python.
    assert_effects(conn, orders, LEASE + 2 + 2 + 1 + SLACK)


def test_a_worker_that_comes_back_from_the_dead_has_lost_its_jobs(stand: Stand, conn: Database) -> None:
    orders = [place_now(conn, seconds=2) for _ in range(6)]
    await_(lambda: running(conn) >= 3, "many of them run")
    for worker in stand.workers:
        worker.freeze()
    time.sleep(LEASE + 1)
    stand.workers[0].thaw()
    assert_effects(conn, orders, 2 + 2 + SLACK)
    stand.workers[1].thaw()
    # It finishes what it believes is its own, to no effect.
    assert_effects(conn, [place_now(conn, seconds=1) for _ in range(8)], 5 + SLACK)
    assert set(effects(conn, orders).values()) == {1}


def test_what_a_relay_took_and_never_sent_is_sent_by_another(stand: Stand, conn: Database) -> None:
    """As it looks when one is killed between its two steps: said to be dispatched, and not in Valkey."""
    with conn.transaction():
        order = place_now(conn)
        conn.execute("update jobs set dispatched_at = now() where args ->> 'order' = %s", [str(order)])
    assert assert_effects(conn, [order], RESEND + 2 + SLACK) > RESEND - 1


def test_a_poison_job_is_given_up_and_the_others_go_on(stand: Stand, conn: Database) -> None:
    faults.by_name("worker: poison job").inflict(stand, random.Random(1))  # noqa: S311
    orders = [place_now(conn) for _ in range(20)]

    def given_up() -> bool:
        return bool(conn.execute("select 1 from jobs where kind = 'chaos.poison' and state = 'discarded'").fetchone())

    assert_effects(conn, orders, 2 * LEASE + 5 + SLACK)
    await_(given_up, "the poison job is given up", 3 * (LEASE + 3 + SLACK))
    row = conn.execute("select attempt, jsonb_array_length(errors) as errors from jobs where kind = 'chaos.poison'")
    assert row.fetchone() == {"attempt": 3, "errors": 3}


@contextmanager
def _away(stand: Stand) -> Iterator[None]:
    stand.valkey.kill()
    try:
        yield
    finally:
        stand.valkey.start()


@contextmanager
def _frozen(stand: Stand) -> Iterator[None]:
    stand.valkey.freeze()
    try:
        yield
    finally:
        stand.valkey.thaw()


@contextmanager
def _full(stand: Stand) -> Iterator[None]:
    with faults.valkey(stand) as server:
        server.config_set("maxmemory-policy", "noeviction")
        server.config_set("maxmemory", "1")
        try:
            yield
        finally:
            server.config_set("maxmemory", "0")


@contextmanager
def _cut_off(stand: Stand) -> Iterator[None]:
    stand.to_valkey.swallow()
    try:
        yield
    finally:
        stand.to_valkey.let_through()


@pytest.mark.parametrize("fault", [_away, _frozen, _full, _cut_off])
def test_without_valkey_jobs_start_within_ten_seconds_and_the_api_misses_nothing(
    stand: Stand, conn: Database, fault: Callable[[Stand], AbstractContextManager[None]]
) -> None:
    before = [place_now(conn, seconds=0.2) for _ in range(20)]
    headers = {"Authorization": f"Bearer {stand.token}"}
    body = {"type": "bug", "project": PROJECT, "title": "Without Valkey", "description": "It is not missed."}
    with fault(stand), httpx.Client(base_url=f"{stand.urls[0]}/api/v1", headers=headers, timeout=30) as client:
        during = [place_now(conn) for _ in range(20)]
        assert {client.post("/tickets", json=body).status_code for _ in range(20)} == {201}
        assert_effects(conn, before + during, 10 + SLACK)
    assert_effects(conn, [place_now(conn) for _ in range(20)], 5 + SLACK)


@pytest.mark.parametrize("fault", ["Valkey: wiped", "Valkey: old snapshot restored"])
def test_what_valkey_forgets_is_said_anew(stand: Stand, conn: Database, fault: str) -> None:
    orders = [place_now(conn, seconds=0.5) for _ in range(60)]
    faults.by_name(fault).inflict(stand, random.Random(1))  # noqa: S311
    orders += [place_now(conn) for _ in range(20)]
    assert_effects(conn, orders, 2 + 3 + SLACK)


def test_a_dead_receiver_holds_up_nobody_and_gets_everything_in_the_end(stand: Stand, conn: Database) -> None:
    steady, silent = stand.subscribe("steady"), stand.subscribe("silent")
    silent.mood = "silent"
    headers = {"Authorization": f"Bearer {stand.token}"}
    body = {"type": "bug", "project": PROJECT, "title": "Told", "description": "To two, one of whom says nothing."}
    with httpx.Client(base_url=f"{stand.urls[0]}/api/v1", headers=headers, timeout=30) as client:
        numbers = [client.post("/tickets", json=body).json()["number"] for _ in range(20)]
    rows = conn.execute("select id from events where ticket = any(%s)", [numbers]).fetchall()
    events = {str(row["id"]) for row in rows}
    assert len(events) == 20
    await_(lambda: events <= steady.received.keys(), "the other one has everything", 2 + SLACK)
    assert not events & silent.received.keys()
    silent.mood = "well"
    # Those under way end after 15 seconds, and would be tried again after five more.
    await_(lambda: len(events & silent.received.keys()) >= 16, "the others have arrived", 30)
    await_(lambda: _hurried(conn) and events <= silent.received.keys(), "all have arrived", 30)
    assert steady.forged == silent.forged == []


def _hurried(conn: Database) -> bool:
    """Do not wait out the pauses between the tries of a delivery."""
    conn.execute("update jobs set run_at = now() where kind = 'webhooks.deliver' and state = 'available'")
    return True
