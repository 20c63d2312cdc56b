"""The connection that stays registered with the event loop: what psycopg promises holds of it as well."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import psycopg
import pytest
import uvloop
from psycopg import errors

from ticketing.db import watched
from ticketing.db.watched import WatchedConnection

LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [asyncio.new_event_loop, uvloop.new_event_loop]
Work = Callable[[WatchedConnection], Awaitable[Any]]


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest, server_url: str) -> Callable[[Work], Any]:
    """Do something with a connection, in either event loop."""

    def run(work: Work) -> Any:
        async def within() -> Any:
            async with connected(server_url) as conn:
                return await work(conn)

        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(within())

    return run


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[WatchedConnection]:
    conn = await WatchedConnection.connect(url, autocommit=True)
    try:
        yield conn
    finally:
        await conn.close()


async def value(conn: WatchedConnection, statement: str, *parameters: Any) -> Any:
    row = await (await conn.execute(statement, parameters)).fetchone()
    return row[0] if row else None


def test_it_answers_statement_after_statement(run: Callable[[Work], Any]) -> None:
    async def work(conn: WatchedConnection) -> list[Any]:
        return [await value(conn, "select %s::int", number) for number in range(50)]

    assert run(work) == list(range(50))


def test_it_sends_and_receives_more_than_a_socket_holds(run: Callable[[Work], Any]) -> None:
    text = "€" * 10_000_000

    async def work(conn: WatchedConnection) -> bool:
        assert await value(conn, "select length(%s::text)", text) == len(text)
        return bool(await value(conn, "select %s::text", text) == text)

    assert run(work)


def test_an_error_leaves_it_usable(run: Callable[[Work], Any]) -> None:
    async def work(conn: WatchedConnection) -> Any:
        with pytest.raises(errors.DivisionByZero):
            await conn.execute("select 1 / 0")
        return await value(conn, "select 1")

    assert run(work) == 1


def test_a_cancelled_statement_ends_in_the_server_too(run: Callable[[Work], Any], server_url: str) -> None:
    async def work(conn: WatchedConnection) -> None:
        sleeping = asyncio.ensure_future(conn.execute("select pg_sleep(60)"))
        async with connected(server_url) as other:
            active = "select count(*) from pg_stat_activity where pid = %s and state = 'active'"
            async with asyncio.timeout(10):
                while not await value(other, active, conn.info.backend_pid):
                    await asyncio.sleep(0)
            sleeping.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sleeping
            assert await value(other, active, conn.info.backend_pid) == 0
        assert await value(conn, "select 1") == 1

    run(work)


def test_the_end_of_the_server_side_is_an_error_once_and_never_a_hang(
    run: Callable[[Work], Any], server_url: str
) -> None:
    async def work(conn: WatchedConnection) -> None:
        await value(conn, "select 1")
        sleeping = asyncio.ensure_future(conn.execute("select pg_sleep(60)"))
        await asyncio.sleep(0.05)
        with psycopg.connect(server_url, autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s, 5000)", (conn.info.backend_pid,))
        with pytest.raises(errors.OperationalError):
            await sleeping
        assert conn.closed

    run(work)


@pytest.mark.slow
def test_a_goodbye_while_nobody_waits_does_not_keep_the_loop_busy(run: Callable[[Work], Any], server_url: str) -> None:
    async def work(conn: WatchedConnection) -> float:
        await value(conn, "select 1")
        with psycopg.connect(server_url, autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s, 5000)", (conn.info.backend_pid,))
        before = time.thread_time()
        await asyncio.sleep(0.3)
        busy = time.thread_time() - before
        with pytest.raises(errors.OperationalError):
            await conn.execute("select 1")
        return busy

    assert run(work) < 0.15


def test_a_server_that_ends_with_a_statement_unread_is_noticed_at_once(
    run: Callable[[Work], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last words come together with a reset, of which uvloop tells once and never again."""
    monkeypatch.setattr(watched, "SILENCE_SECONDS", 60.0)

    async def work(conn: WatchedConnection) -> None:
        backend = conn.info.backend_pid
        assert await value(conn, "select 1") == 1
        os.kill(backend, signal.SIGSTOP)
        os.kill(backend, signal.SIGTERM)
        asking = asyncio.ensure_future(conn.execute("select 1"))
        await asyncio.sleep(0.1)
        os.kill(backend, signal.SIGCONT)
        async with asyncio.timeout(20):
            with pytest.raises(psycopg.OperationalError):
                await asking
        assert conn.closed

    run(work)


def test_who_waits_hears_of_the_silence_even_if_the_loop_watches_no_more(
    run: Callable[[Work], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "SILENCE_SECONDS", 0.2)

    async def work(conn: WatchedConnection) -> None:
        asking = asyncio.ensure_future(conn.execute("select pg_sleep(60)"))
        await asyncio.sleep(0.1)
        asyncio.get_running_loop().remove_reader(conn.pgconn.socket)
        async with asyncio.timeout(20):
            with pytest.raises(psycopg.OperationalError):
                await asking

    run(work)
