"""The fan-out: what it does of PostgreSQL when there is nothing to do, and what it takes for a fault of the events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import uuid_utils.compat as uuids
from psycopg import sql

from conftest import configured, logged
from ticketing.db import pool
from ticketing.reactions.webhooks import fan_out as reading
from ticketing.reactions.webhooks.fan_out import fan_out
from working import SETTLED


@pytest.fixture
def url(new_database: Callable[..., str]) -> Iterator[str]:
    """A database with an endpoint that is told of everything."""
    url = new_database()
    with psycopg.connect(url) as conn:
        endpoint = "insert into webhook_endpoints (id, url, created_at) values (%s, 'https://a.example', '-infinity')"
        conn.execute(endpoint, [uuids.uuid7()])
    with configured(database_url=url):
        yield url


def read(url: str) -> tuple[bool, list[Any]]:
    """Read the log on once; gives whether there is more, and what was logged."""

    async def within() -> bool:
        async with pool.connected(url, 2), asyncio.timeout(20):
            async with pool.connection() as conn:
                while not await (await conn.execute(SETTLED)).fetchone():
                    await asyncio.sleep(0.02)
            return await fan_out()

    with logged(reading) as lines:
        more = asyncio.run(within())
    return more, [line["event"] for line in lines]


def happen(url: str) -> None:
    with psycopg.connect(url) as conn:
        conn.execute("insert into events (id, type, data) values (%s, 'project.created', '{}')", [uuids.uuid7()])


def deliveries(url: str) -> int:
    with psycopg.connect(url) as conn:
        return len(conn.execute("select from deliveries").fetchall())


@contextmanager
def failing(url: str, table: str, code: str) -> Iterator[None]:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            sql.SQL(
                "create function fail() returns trigger language plpgsql as"
                " $$begin raise exception using errcode = {}, message = 'It fails.'; end$$"
            ).format(code)
        )
        conn.execute(
            sql.SQL("create trigger failing before insert on {} execute function fail()").format(sql.Identifier(table))
        )
        yield
        conn.execute("drop function fail() cascade")


def test_it_looks_without_a_lock(url: str) -> None:
    """A lock of a row takes a transaction id, before which the logs of all databases of the server end."""
    happen(url)
    assert read(url) == (False, [])
    assert deliveries(url) == 1
    with psycopg.connect(url) as conn:
        conn.execute("lock table webhook_fan_out in exclusive mode")  # Others may read it, and lock no row.
        assert read(url) == (False, [])


@pytest.mark.parametrize("code", ["53100", "57P03", "25006", "55P03"])
def test_an_outage_is_no_fault_of_the_events(url: str, code: str) -> None:
    happen(url)
    with failing(url, "webhook_messages", code), pytest.raises(pool.Unavailable):
        read(url)
    assert deliveries(url) == 0
    assert read(url) == (False, [])
    assert deliveries(url) == 1


def test_a_pool_without_a_connection_is_no_fault_of_the_events(url: str) -> None:
    async def none_left() -> None:
        async with pool.connected(url, 1), pool.connection():
            with pytest.raises(pool.Unavailable):
                await fan_out()

    with logged(reading) as lines:
        asyncio.run(none_left())
    assert "messages are left to their deliveries" not in [line["event"] for line in lines]


@pytest.mark.parametrize("code", ["22021", "54000", "57014", "XX000"])
def test_events_that_cannot_be_read_whole_hold_up_no_others(url: str, code: str) -> None:
    happen(url)
    with failing(url, "webhook_messages", code):
        more, said = read(url)
    assert not more
    assert "messages are left to their deliveries" in said
    assert deliveries(url) == 1
