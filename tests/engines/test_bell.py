"""The bell: who waits is woken soon after a change, many changes cost few rings, and nothing depends on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from conftest import Person
from ticketing.db import bell
from ticketing.db.bell import Bell


@pytest.fixture(scope="module")
def url(new_database: Callable[..., str]) -> str:
    """An empty database, as the channel is one of its database."""
    return new_database("template1")


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[Bell]:
    """A bell that is in hearing."""
    async with Bell(url) as heard:
        assert await heard.wait(20)
        yield heard


async def next_ring(heard: Bell) -> bool:
    """A task that has heard all there was so far, and waits for more."""
    await heard.wait(0)
    return await heard.wait(20)


def rung(url: str, work: Callable[[Bell], Awaitable[Any]]) -> Any:
    """What the work gives, with both ends of the bell."""

    async def within() -> Any:
        async with listening(url) as heard, bell.ringing(url):
            return await work(heard)

    return asyncio.run(within())


def test_who_waits_is_woken(url: str) -> None:
    async def work(heard: Bell) -> None:
        waiting = asyncio.create_task(next_ring(heard))
        await asyncio.sleep(0)
        bell.ring()
        assert await waiting

    rung(url, work)


def test_who_waits_in_vain_goes_on(url: str) -> None:
    async def work(heard: Bell) -> None:
        began = time.monotonic()
        assert await heard.wait(0.1) is False
        assert 0.09 < time.monotonic() - began < 5

    rung(url, work)


def test_a_ring_ends_the_next_wait_of_who_was_busy(url: str) -> None:
    async def work(heard: Bell) -> None:
        idle = asyncio.create_task(next_ring(heard))
        await asyncio.sleep(0)
        bell.ring()
        assert await idle, "and this task was busy meanwhile"
        assert await heard.wait(0)
        assert not await heard.wait(0)

    rung(url, work)


def test_every_task_hears_every_ring(url: str) -> None:
    async def work(heard: Bell) -> None:
        waiting = [asyncio.create_task(next_ring(heard)) for _ in range(3)]
        await asyncio.sleep(0)
        bell.ring()
        assert await asyncio.gather(*waiting) == [True] * 3

    rung(url, work)


def test_ten_thousand_changes_are_few_rings(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("listen ticketing")

        async def work(heard: Bell) -> float:
            began = time.monotonic()
            for count in range(10_000):
                bell.ring()
                if count % 100 == 0:
                    await asyncio.sleep(0)
            assert await heard.wait(20)
            await asyncio.sleep(3 * bell.PAUSE_SECONDS)
            return time.monotonic() - began

        seconds = rung(url, work)
        rings = list(conn.notifies(timeout=0.1))
    assert 1 <= len(rings) <= seconds / bell.PAUSE_SECONDS + 1
    assert {(ring.channel, ring.payload) for ring in rings} == {("ticketing", "")}


def test_it_rings_from_other_threads(url: str) -> None:
    async def work(heard: Bell) -> None:
        waiting = asyncio.create_task(next_ring(heard))
        await asyncio.sleep(0)
        await asyncio.to_thread(bell.ring)
        assert await waiting

    rung(url, work)


def test_both_ends_come_back(url: str) -> None:
    async def work(heard: Bell) -> None:
        bell.ring()
        assert await heard.wait(20)
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
            await conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
        assert await heard.wait(20), "back in hearing counts as a ring, for what was missed"
        async with asyncio.timeout(20):
            while not await heard.wait(0.05):
                bell.ring()

    rung(url, work)


def test_it_is_silent_without_a_database() -> None:
    async def within() -> bool:
        nowhere = make_conninfo("postgresql://127.0.0.1:1/none", connect_timeout=1)
        async with Bell(nowhere) as heard, bell.ringing(nowhere):
            bell.ring()
            return await heard.wait(0.1)

    assert asyncio.run(within()) is False
    bell.ring()


def test_each_change_over_http_rings(
    database_url: str, requester: Person, project: str, new_ticket: Callable[..., dict[str, Any]]
) -> None:
    number = new_ticket()["number"]
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("listen ticketing")
        while list(conn.notifies(timeout=0.2)):
            """What was done to set this up still rings."""
        requester.get(f"/tickets/{number}")
        requester.post("/tickets", json={})
        assert not list(conn.notifies(timeout=0.2)), "nothing changed"
        requester.post(f"/tickets/{number}/comments", json={"body": "x"})
        assert list(conn.notifies(timeout=20, stop_after=1))


def test_however_many_ring_nobody_is_woken_more_often_than_in_each_pause(url: str) -> None:
    async def work(heard: Bell) -> None:
        await heard.wait(0)
        began, woken = time.monotonic(), 0
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
            for _ in range(300):
                await conn.execute("notify ticketing")
                woken += await heard.wait(0.001)
        # What was rung last is heard as well.
        woken += await heard.wait(bell.PAUSE_SECONDS * 40)
        assert 1 <= woken <= (time.monotonic() - began) / bell.PAUSE_SECONDS + 2
        assert not await heard.wait(bell.PAUSE_SECONDS * 2)

    rung(url, work)
