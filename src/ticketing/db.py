"""Connections to PostgreSQL: `connection()` for single statements, `transaction()` for several as one."""

from __future__ import annotations

import select
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import psycopg
from psycopg import AsyncConnection, errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import ConnStatus
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool

from ticketing.contract import Problem

Connection = AsyncConnection[Any]
Pool = AsyncConnectionPool[Connection]

WAIT_SECONDS = 3.0
"""How long a request waits for a connection; beyond that it had better be told to come back."""
RECONNECT_SECONDS = 5.0
"""How long the pool insists on a new connection before it leaves that to the next request. Its pauses double,
so a larger number would have it asleep for minutes after PostgreSQL is back."""
WARM_CONNECTIONS = 4
RETRY_AFTER_SECONDS = 2
SESSION = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
    "timezone": "UTC",
}
# If a network swallows packets, a query would otherwise wait a quarter of an hour, until TCP gives up.
NETWORK: dict[str, str | int] = {
    "connect_timeout": 5,
    "tcp_user_timeout": 15_000,
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}

_pool: Pool | None = None


class Unavailable(Problem):
    """PostgreSQL is away or too slow just now; the same request may well succeed a little later."""

    slug = "unavailable"

    def __init__(self) -> None:
        detail = "The database does not answer just now. Try again in a moment."
        super().__init__(detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


@asynccontextmanager
async def connected(url: str, size: int) -> AsyncIterator[None]:
    """Keep up to `size` connections for as long as the block runs, whether PostgreSQL is there yet or not."""
    global _pool
    set_json_dumps(orjson.dumps)
    set_json_loads(orjson.loads)
    pool = AsyncConnectionPool(
        kwargs=parameters(url),
        min_size=min(WARM_CONNECTIONS, size),
        max_size=size,
        timeout=WAIT_SECONDS,
        reconnect_timeout=RECONNECT_SECONDS,
        configure=_configure,
        open=False,
        name="ticketing",
    )
    async with pool:
        before, _pool = _pool, pool
        try:
            yield
        finally:
            _pool = before


@asynccontextmanager
async def connection() -> AsyncIterator[Connection]:
    """A connection in autocommit: every statement is a transaction. Raises Unavailable."""
    assert _pool is not None, "not connected"
    pool = _pool
    try:
        # Not with pool.connection(): that would commit, and there is nothing to commit.
        conn = await _checked_out(pool)
        try:
            yield conn
        except errors.FeatureNotSupported:
            # A migration changed what a prepared statement gives; a new connection prepares it anew.
            await conn.close()
            raise
        finally:
            await pool.putconn(conn)
    except (psycopg.OperationalError, errors.FeatureNotSupported) as error:
        raise Unavailable from error


@asynccontextmanager
async def transaction() -> AsyncIterator[Connection]:
    """A connection in a transaction, which an exception rolls back. Raises Unavailable."""
    async with connection() as conn, conn.transaction():
        yield conn


def parameters(url: str) -> dict[str, Any]:
    """What every connection of ours is opened with; the URL's own parameters win."""
    given = conninfo_to_dict(url)
    session = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
    ours = {"application_name": "ticketing", **NETWORK}
    return {**ours, **given, "options": f"{session} {given.get('options', '')}".rstrip(), "autocommit": True}


async def _configure(conn: Connection) -> None:
    # Every statement of ours fits, with the commonest variants of lists; a client that asks for all variants of them
    # shall not fill the server's memory with plans.
    conn.prepared_max = 300


async def _checked_out(pool: Pool) -> Connection:
    """A connection that PostgreSQL has not closed while it was idle; the pool replaces those it has."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        conn = await pool.getconn(timeout=deadline - time.monotonic())
        if _alive(conn):
            return conn
        await pool.putconn(conn)


def _alive(conn: Connection) -> bool:
    """Whether the server has not said goodbye; a look at the socket is 100 times cheaper than a question."""
    pgconn = conn.pgconn
    socket = select.poll()
    socket.register(pgconn.socket, select.POLLIN)
    try:
        while socket.poll(0):
            pgconn.consume_input()
    except psycopg.OperationalError:
        return False
    return pgconn.status == ConnStatus.OK
