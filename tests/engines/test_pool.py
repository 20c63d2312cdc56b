"""Connections: what a session is set to, and what a request gets to see when PostgreSQL is slow, full or gone."""

from __future__ import annotations

import asyncio
import socket
import socketserver
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import Jsonb

from ticketing.contract import admission
from ticketing.contract.admission import Admission, Place
from ticketing.db import embedded, pool
from ticketing.jobs.execution import _sentence


@pytest.fixture(scope="module")
def url(new_database: Callable[..., str]) -> str:
    """An empty database."""
    return new_database("template1")


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that the servers' system user may enter, should the tests run as root."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "home"


def connected(url: str, work: Callable[[], Awaitable[Any]], size: int = 4) -> Any:
    """What the work gives, with a pool."""

    async def within() -> Any:
        async with pool.connected(url, size):
            return await work()

    return asyncio.run(within())


async def value(statement: str, *parameters: Any) -> Any:
    async with pool.connection() as conn:
        cursor = await conn.execute(statement, parameters)
        row = await cursor.fetchone() if cursor.description else None
        return row[0] if row else None


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("statement_timeout", "5s"),
        ("lock_timeout", "2s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("TimeZone", "UTC"),
        ("jit", "off"),
        ("application_name", "ticketing"),
    ],
)
def test_a_session_has_limits(url: str, name: str, setting: str) -> None:
    assert connected(url, lambda: value("select current_setting(%s)", name)) == setting


@pytest.mark.parametrize(
    ("name", "setting"),
    [("statement_timeout", "1500ms"), ("lock_timeout", "2s"), ("random_page_cost", "1.1"), ("work_mem", "16MB")],
)
def test_sessions_of_compiled_statements_have_their_own(url: str, name: str, setting: str) -> None:
    async def asked() -> Any:
        async with pool.asking() as conn:
            cursor = await conn.execute("select current_setting(%s)", [name])
            return (await cursor.fetchone() or [None])[0]

    assert connected(url, asked) == setting


def test_one_asker_of_compiled_statements_leaves_a_connection_to_the_next(url: str) -> None:
    """And both together leave all of the others."""

    async def held(asker: str, done: asyncio.Event) -> None:
        admission.PLACE.set(place := Place(Admission(None), None))
        place.hold(asker, 1)
        async with pool.asking():
            entered.append(asker)
            await done.wait()

    async def work() -> None:
        done = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(held("greedy", done))
            while entered != ["greedy"]:
                await asyncio.sleep(0)
            tasks.create_task(held("greedy", done))
            modest = tasks.create_task(held("modest", done))
            while len(entered) < 2:
                await asyncio.sleep(0.01)
            assert entered == ["greedy", "modest"] and not modest.done()
            assert await value("select 1") == 1
            done.set()

    entered: list[str] = []
    connected(url, work)
    assert entered == ["greedy", "modest", "greedy"]


def test_what_is_asked_has_its_time_for_all_statements_together(url: str) -> None:
    async def asked() -> None:
        async with pool.asking() as conn:
            for _ in range(2):
                await conn.execute("select pg_sleep(1)")

    async def work() -> None:
        with pytest.raises(pool.TooSlow):
            await asked()
        async with pool.asking() as conn:
            running = await conn.execute(
                "select query from pg_stat_activity where datname = current_database() and state = 'active'"
            )
            assert not [query for (query,) in await running.fetchall() if "pg_sleep" in query]

    connected(url, work)


def test_the_url_has_the_last_word(url: str) -> None:
    own = make_conninfo(url, options="-c statement_timeout=7s", application_name="mine")
    assert connected(own, lambda: value("show statement_timeout")) == "7s"
    assert connected(own, lambda: value("show lock_timeout")) == "2s"
    assert connected(own, lambda: value("show application_name")) == "mine"


def test_json_goes_both_ways(url: str) -> None:
    document = {"text": "ü", "list": [1, None, True]}
    assert connected(url, lambda: value("select %s::jsonb", Jsonb(document))) == document


def test_a_transaction_is_all_or_nothing(url: str) -> None:
    async def interrupted() -> None:
        async with pool.transaction() as conn:
            await conn.execute("insert into counted values (1)")
            raise ZeroDivisionError

    async def work() -> tuple[int, int]:
        await value("create table counted (id int)")
        with pytest.raises(ZeroDivisionError):
            await interrupted()
        after_error = await value("select count(*) from counted")
        async with pool.transaction() as conn:
            await conn.execute("insert into counted values (1)")
        return after_error, await value("select count(*) from counted")

    assert connected(url, work) == (0, 1)


def test_a_lost_connection_costs_no_later_request(url: str) -> None:
    async def work() -> list[int]:
        before = set(await asyncio.gather(*(value("select pg_backend_pid() from pg_sleep(0.1)") for _ in range(8))))
        with psycopg.connect(url, autocommit=True) as conn:
            for pid in before:
                conn.execute("select pg_terminate_backend(%s, 5000)", [pid])
        after = [await value("select pg_backend_pid()") for _ in range(8)]
        assert len(before) > 1 and not before & set(after)
        return after

    connected(url, work, size=8)


def test_a_connection_lost_in_use_is_unavailable(url: str) -> None:
    async def work() -> int:
        with pytest.raises(pool.Unavailable) as caught:
            await value("select pg_terminate_backend(pg_backend_pid())")
        assert isinstance(caught.value.__cause__, psycopg.OperationalError)
        return int(await value("select 1"))

    assert connected(url, work) == 1


def test_a_statement_that_takes_too_long_is_unavailable(url: str) -> None:
    async def work() -> int:
        with pytest.raises(pool.Unavailable, match="took too long") as told:
            await value("select pg_sleep(5)")
        assert _sentence(told.value) == "QueryCanceled: canceling statement due to statement timeout"
        return int(await value("select 1"))

    assert connected(make_conninfo(url, options="-c statement_timeout=50ms"), work) == 1


def test_whoever_gets_no_connection_in_time_is_told_so(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> float:
        async with pool.connection():
            monkeypatch.setattr(pool, "WAIT_SECONDS", 0.2)
            started = time.monotonic()
            with pytest.raises(pool.Unavailable):
                await value("select 1")
            return time.monotonic() - started

    assert connected(url, work, size=1) > 0.15


@pytest.mark.database
@pytest.mark.slow
def test_the_pool_outlives_an_outage(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "WAIT_SECONDS", 0.5)
    monkeypatch.setattr(pool, "RECONNECT_SECONDS", 0.5)
    with embedded.postgres(home) as url:
        pass

    async def work() -> None:
        for _ in range(2):
            with pytest.raises(pool.Unavailable):
                await value("select 1")
            with embedded.postgres(home):
                await eventually()

    async def eventually() -> None:
        deadline = time.monotonic() + 10
        while True:
            try:
                assert await value("select 1") == 1
                return
            except pool.Unavailable:
                assert time.monotonic() < deadline

    connected(url, work)


def test_a_cancelled_request_gives_its_connection_back(url: str) -> None:
    async def work() -> int:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(value("select pg_sleep(3)"), 0.1)
        return int(await value("select 1"))

    assert connected(url, work, size=1) == 1


def test_a_migration_that_changes_a_statement_costs_one_request_a_connection(url: str) -> None:
    async def prepared() -> int:
        async with pool.connection() as conn:
            cursor = await conn.execute("select * from changing", prepare=True)
            return len(cursor.description or ())

    async def work() -> tuple[int, int]:
        await value("create table changing (a int)")
        before = await prepared()
        with psycopg.connect(url) as conn:
            conn.execute("alter table changing add b int")
        with pytest.raises(pool.Unavailable):
            await prepared()
        return before, await prepared()

    assert connected(url, work, size=1) == (1, 2)


def test_each_event_loop_has_connections_of_its_own(url: str, new_database: Callable[..., str]) -> None:
    """Watched by a loop that does not see it closed, a connection's file would be watched in place of a client's."""
    other = new_database("template1")
    both = threading.Barrier(2, timeout=20)

    async def mine() -> Any:
        both.wait()
        found = await value("select current_database()")
        both.wait()
        return found

    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda each: connected(each, mine), (url, other)))
    assert found == [conninfo_to_dict(each)["dbname"] for each in (url, other)]


def test_the_loop_forgets_a_file_that_is_closed(url: str) -> None:
    """Otherwise whoever gets its number next, an HTTP client for one, would never be heard."""

    async def watched_after_the_end() -> int | None:
        async with pool.connection() as conn:
            await conn.execute("select 1")
            assert conn._watched is not None
            with psycopg.connect(url, autocommit=True) as other:
                other.execute("select pg_terminate_backend(%s, 5000)", (conn.info.backend_pid,))
            time.sleep(0.1)  # noqa: ASYNC251 (the loop shall not hear of it first)
            assert not pool._alive(conn)
            return conn._watched

    assert connected(url, watched_after_the_end) is None


@contextmanager
def pooler(url: str) -> Iterator[str]:
    """What a pooler looks like: the number of our session is not that of PostgreSQL's."""
    socket_path = f"{conninfo_to_dict(url)['host']}/.s.PGSQL.5432"

    class Pooled(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(socket_path)
                threading.Thread(target=self.forward, args=(self.request, server), daemon=True).start()
                self.forward(server, self.request)

        def forward(self, source: socket.socket, target: socket.socket) -> None:
            with suppress(OSError):
                while data := source.recv(65536):
                    # BackendKeyData (PostgreSQL's documentation, 55.7): 12 bytes, the first four are the number.
                    key = data.find(b"K\0\0\0\x0c")
                    target.sendall(data if key < 0 else data[: key + 5] + bytes(4) + data[key + 9 :])
            with suppress(OSError):
                target.shutdown(socket.SHUT_WR)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Pooled) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield make_conninfo(url, host="127.0.0.1", port=server.server_address[1])
        server.shutdown()


def test_behind_a_pooler_nothing_is_prepared(url: str) -> None:
    """What one client has prepared, another would execute by the same name."""

    async def prepared(conn: psycopg.AsyncConnection[Any]) -> int:
        for _ in range(10):
            await conn.execute("select 1", prepare=True)
        cursor = await conn.execute("select count(*) from pg_prepared_statements")
        row = await cursor.fetchone()
        return int(row[0]) if row else -1

    async def of_the_pool() -> int:
        async with pool.connection() as conn:
            return await prepared(conn)

    async def beside_it() -> int:
        """As the bell and a worker's readiness connect, which do not look where they lead."""
        async with await psycopg.AsyncConnection.connect(**pool.parameters(url)) as conn:
            return await prepared(conn)

    assert connected(url, of_the_pool, size=1) > 0
    with pooler(url) as pooled:
        assert connected(pooled, of_the_pool, size=1) == 0
    assert asyncio.run(beside_it()) == 0
