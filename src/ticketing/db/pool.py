"""Connections to PostgreSQL: `connection()` for single statements, `transaction()` for several as one.

Statements that are compiled of what a client writes have a small pool of their own, `asking()`: however long they take,
all others find a connection.
"""

from __future__ import annotations

import asyncio
import random
import select
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import wraps
from types import MappingProxyType, TracebackType
from typing import Any, ClassVar, ParamSpec, Self, TypeVar

import orjson
import psycopg
from prometheus_client import Counter, Histogram
from psycopg import AsyncConnection, errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import ConnStatus, TransactionStatus
from psycopg.rows import scalar_row
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool

from ticketing.contract import Problem
from ticketing.contract.admission import PLACE
from ticketing.contract.turnstile import Turnstile
from ticketing.db import outages
from ticketing.db.queries import REPLANNED
from ticketing.db.watched import WatchedConnection

P = ParamSpec("P")
T = TypeVar("T")
WAIT_SECONDS = 1.0
"""Seconds to wait for a connection before answering 503."""
RECONNECT_SECONDS = 5.0
"""Seconds for which the pool retries to connect before it leaves that to the next request. Its pauses double, so with a
larger number it would still sleep for minutes after PostgreSQL is back."""
WARM_CONNECTIONS = 4
ASKING_CONNECTIONS = 4
"""Connections for compiled statements. An asker holds one of them at once, so the others are left for the next."""
ASKING_SECONDS = 1.5
"""Seconds for which one of those may be held, whatever its statements are."""
ASKING_WAIT_SECONDS = 2.0
"""Seconds to wait for one of those: longer than one is held, so the next in turn gets it."""
AT_HAND_SECONDS = 10.0
"""Seconds for which requests hand a connection on before it returns to the pool, which may replace it."""
RETRY_AFTER_SECONDS = 2
REPEATS = 3
REPEAT_SECONDS = 0.05
"""Retries of a handler that lost a deadlock, and the longest pause before the first; it doubles each time."""
TRY_SECONDS = 5.0
"""Seconds between two attempts to write while PostgreSQL is read-only."""
PREPARE_AFTER = 5
"""psycopg's default. Statements of sql.py say themselves whether they are prepared."""
SESSION = {
    "timezone": "UTC",
    "jit": "off",  # Our statements take longer to compile than to run.
}
"""Settings that every session needs, however the server is configured."""
LIMITS = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
}
ASKING = {
    "statement_timeout": f"{ASKING_SECONDS}s",
    "random_page_cost": "1.1",  # What such a statement reads is mostly in memory; else it would read whole tables.
    "work_mem": "16MB",  # A bitmap of many hits stays exact.
}
"""Settings of the sessions of compiled statements, besides those of all."""
# If a network swallows packets, a query would otherwise wait a quarter of an hour, until TCP gives up.
NETWORK: dict[str, str | int] = {
    "connect_timeout": 5,
    "tcp_user_timeout": 15_000,
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}


WAITED = Histogram(
    "ticketing_pool_wait_seconds",
    "Seconds that requests and jobs waited for a pool connection, if they had to.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1),
)
TIMEOUTS = Counter("ticketing_pool_timeouts", "Requests and jobs that got no pool connection in time.")
ASKING_WAITED = Histogram(
    "ticketing_query_pool_wait_seconds",
    "Seconds that queries of the query language waited for a connection of theirs, if they had to.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2),
)
ASKING_TIMEOUTS = Counter(
    "ticketing_query_pool_timeouts", "Queries of the query language that got no connection in time."
)


class Unavailable(Problem):
    """PostgreSQL is down or too slow just now; the same request may succeed a little later."""

    slug = "unavailable"

    def __init__(self, detail: str = "The database does not answer just now. Try again in a moment.") -> None:
        super().__init__(detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


class TooSlow(Unavailable):
    """A statement was not done in time, which its session had."""

    def __init__(self, limit: str) -> None:
        super().__init__("The database took too long for this. Try again in a moment.")
        self.limit = limit


class Unwritable(Unavailable):
    """PostgreSQL reads but does not write: its disk is full, or it is a standby."""

    def __init__(self) -> None:
        super().__init__("The database cannot write just now. Try again later.")


class Contended(Unavailable):
    """PostgreSQL rolled this back (deadlock, serialization failure, changed result of a statement); retry it."""


class Connection(WatchedConnection):
    """A pool connection. The pool does not report why it cannot connect, so failures are noted here."""

    @classmethod
    async def connect(cls, *args: Any, **options: Any) -> Self:
        """As psycopg's."""
        try:
            return await super().connect(*args, **options)
        except psycopg.OperationalError as error:
            outages.note(error)
            raise


Pool = AsyncConnectionPool[Connection]


class _Connections:
    """The pool, and connections at hand: the next request takes one without asking the pool.

    Requests wait at the turnstile, which admits as many as there are connections; waiting in the pool costs ten times
    as much.
    """

    def __init__(self, pool: Pool, size: int, most: int | None = None) -> None:
        self.turnstile = Turnstile(size, most)
        self.size = size
        self.in_use = 0
        self.most_in_use = 0
        self._pool = pool
        self._at_hand: list[tuple[Connection, float]] = []

    async def take(self, deadline: float) -> tuple[Connection, float]:
        """A connection that PostgreSQL has not closed, and since when it has been out of the pool."""
        while True:
            if self._at_hand:
                conn, since = self._at_hand.pop()
            else:
                conn, since = await self._pool.getconn(timeout=deadline - time.monotonic()), time.monotonic()
            if _alive(conn):
                return conn, since
            await self._pool.putconn(conn)

    async def give_back(self, conn: Connection, since: float) -> None:
        """Keep the connection at hand, or, if it is old or not idle, return it to the pool, which checks it."""
        idle = conn.pgconn.transaction_status == TransactionStatus.IDLE
        if idle and time.monotonic() - since < AT_HAND_SECONDS and not self._pool.closed:
            self._at_hand.append((conn, since))
        else:
            await self._pool.putconn(conn)

    async def renew(self) -> None:
        """Replace all connections, as they have prepared the same statements."""
        await self._pool.drain()
        await self.end()

    async def end(self) -> None:
        """Return all connections to the pool, which closes them."""
        while self._at_hand:
            await self._pool.putconn(self._at_hand.pop()[0])


_pools: dict[asyncio.AbstractEventLoop, _Connections] = {}
"""One per event loop, as each thread may have one: a loop must not watch a connection that another one closes."""
_asking: dict[asyncio.AbstractEventLoop, _Connections] = {}
"""Those of compiled statements."""


@asynccontextmanager
async def connected(url: str, size: int) -> AsyncIterator[None]:
    """Keep up to `size` connections for as long as the block runs, whether PostgreSQL is there yet or not.

    Those of compiled statements come on top, when the first asks for one.
    """
    set_json_dumps(orjson.dumps)
    set_json_loads(orjson.loads)
    loop = asyncio.get_running_loop()
    async with (
        _opened(_pools, "ticketing", parameters(url), size, min(WARM_CONNECTIONS, size), _configure),
        _opened(_asking, "ticketing-asking", parameters(url, ASKING), ASKING_CONNECTIONS, 0, _configure, most=1),
    ):
        trying = loop.create_task(_try_to_write())
        try:
            yield
        finally:
            trying.cancel()
            await asyncio.wait({trying})


@asynccontextmanager
async def _opened(
    pools: dict[asyncio.AbstractEventLoop, _Connections],
    name: str,
    options: dict[str, Any],
    size: int,
    warm: int,
    configure: Callable[[Connection], Awaitable[None]],
    *,
    most: int | None = None,
) -> AsyncIterator[None]:
    pool = AsyncConnectionPool(
        connection_class=Connection,
        kwargs=options,
        min_size=warm,
        max_size=size,
        timeout=WAIT_SECONDS,
        reconnect_timeout=RECONNECT_SECONDS,
        configure=configure,
        open=False,
        name=name,
    )
    async with pool:
        loop = asyncio.get_running_loop()
        ours = pools[loop] = _Connections(pool, size, most)
        try:
            yield
        finally:
            del pools[loop]
            await ours.end()


class connection:  # noqa: N801 - it is used like a function
    """`async with connection() as conn`: in autocommit, each statement a transaction. Raises Unavailable, Contended."""

    __slots__ = ("_asker", "_conn", "_connections", "_since")
    _of: ClassVar = _pools
    _wait_seconds: ClassVar = WAIT_SECONDS
    _waited: ClassVar = WAITED
    _timeouts: ClassVar = TIMEOUTS
    _limit: ClassVar = LIMITS["statement_timeout"]

    async def __aenter__(self) -> Connection:
        self._connections = ours = self._of[asyncio.get_running_loop()]
        place = PLACE.get()
        self._asker = asker = place.asker if place else None
        turnstile = ours.turnstile
        began = time.monotonic()
        if not turnstile.enter(asker):
            try:
                async with asyncio.timeout(self._wait_seconds):
                    await turnstile.acquire(asker)
            except TimeoutError:
                self._timeouts.inc()
                raise Unavailable from None
            self._waited.observe(time.monotonic() - began)
        ours.in_use += 1
        ours.most_in_use = max(ours.in_use, ours.most_in_use)
        try:
            self._conn, self._since = await ours.take(began + self._wait_seconds)
        except BaseException as error:
            self._leave()
            if isinstance(error, psycopg.OperationalError):
                raise Unavailable from error
            raise
        return self._conn

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if isinstance(error, (*REPLANNED, errors.ReadOnlySqlTransaction)):
                # A migration changed the result of a prepared statement: a new connection prepares it again. Or the
                # server was demoted to a standby: a new connection may lead to the primary.
                await self._conn.close()
            if isinstance(error, REPLANNED):
                await self._connections.renew()
            await self._connections.give_back(self._conn, self._since)
        finally:
            self._leave()
        if error is None:
            outages.answered()
        if not isinstance(error, psycopg.Error):
            return
        cause = outages.note(error)
        if cause.writes_only:
            raise Unwritable from error
        if isinstance(error, (errors.DeadlockDetected, errors.SerializationFailure, *REPLANNED)):
            raise Contended from error
        if isinstance(error, errors.QueryCanceled):
            raise TooSlow(self._limit) from error
        if isinstance(error, errors.LockNotAvailable):
            raise Unavailable("Other requests are changing the same data. Try again in a moment.") from error
        if isinstance(error, psycopg.OperationalError):
            raise Unavailable from error

    def _leave(self) -> None:
        self._connections.in_use -= 1
        self._connections.turnstile.release(self._asker)


class asking(connection):  # noqa: N801
    """`async with asking() as conn`: as `connection()`, for statements that are compiled of what a client writes.

    Together they have ASKING_SECONDS. Raises TooSlow after that.
    """

    __slots__ = ("_held",)
    _of = _asking
    _wait_seconds = ASKING_WAIT_SECONDS
    _waited = ASKING_WAITED
    _timeouts = ASKING_TIMEOUTS
    _limit = ASKING["statement_timeout"]

    async def __aenter__(self) -> Connection:
        conn = await super().__aenter__()
        self._held = asyncio.timeout(ASKING_SECONDS)
        await self._held.__aenter__()
        return conn

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._held.expired():
            self._held.reschedule(None)
        try:
            await super().__aexit__(kind, error, trace)
        finally:
            try:
                await self._held.__aexit__(kind, error, trace)
            except TimeoutError:
                raise TooSlow(self._limit) from error


def figures() -> tuple[int, int]:
    """How many connections the pool may have, and the most in use since the last call."""
    ours = _pools.get(asyncio.get_running_loop())
    if ours is None:
        return 0, 0
    most, ours.most_in_use = ours.most_in_use, ours.in_use
    return ours.size, most


@asynccontextmanager
async def transaction() -> AsyncIterator[Connection]:
    """A connection in a transaction; an exception rolls it back. Raises Unavailable, Contended."""
    async with connection() as conn, conn.transaction():
        yield conn


def repeated(work: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Work in a single transaction, retried up to REPEATS times if it is Contended."""

    @wraps(work)
    async def until_uncontended(*args: P.args, **options: P.kwargs) -> T:
        for repeat in range(REPEATS):
            try:
                return await work(*args, **options)
            except Contended:
                await asyncio.sleep(random.uniform(0, REPEAT_SECONDS * 2**repeat))  # noqa: S311
        return await work(*args, **options)

    return until_uncontended


def parameters(url: str, session: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """Connection parameters of the service's processes, with further settings; the URL's own parameters win."""
    given = conninfo_to_dict(url)
    # Behind PgBouncer the next statement may run in another session, which has another statement of the same name. So
    # only connections that lead to PostgreSQL itself (_configure) prepare statements.
    ours = {"application_name": "ticketing", "prepare_threshold": None, **NETWORK}
    return {**ours, **given, "options": _options(given, {**SESSION, **LIMITS, **session}), "autocommit": True}


def patient(url: str) -> dict[str, Any]:
    """Connection parameters of commands, whose limits sessions.py sets; the URL's own parameters win."""
    given = conninfo_to_dict(url)
    ours = {"application_name": "ticketing", "prepare_threshold": None, **NETWORK}
    return {**ours, **given, "options": _options(given, SESSION), "autocommit": True}


async def leads_to_postgres(conn: AsyncConnection[Any]) -> bool:
    """Whether no pooler is in between: its connections have other process ids than PostgreSQL's sessions."""
    return await session_id(conn) == conn.info.backend_pid


async def session_id(conn: AsyncConnection[Any]) -> int:
    """The process id of the session that this statement runs in."""
    cursor = conn.cursor(row_factory=scalar_row)
    await cursor.execute("select pg_backend_pid()")
    return int(await cursor.fetchone() or 0)


def _options(given: Mapping[str, Any], session: Mapping[str, str]) -> str:
    ours = " ".join(f"-c {name}={value}" for name, value in session.items())
    return f"{ours} {given.get('options') or ''}".rstrip()


async def _try_to_write() -> None:
    """While PostgreSQL refuses writes, keep trying one: perhaps nobody else does."""
    while True:
        await asyncio.sleep(TRY_SECONDS)
        if outages.sentence(writes_only=True):
            with suppress(Unavailable, psycopg.Error):
                async with connection() as conn:
                    await outages.write(conn)


async def _configure(conn: Connection) -> None:
    # All our statements fit, with the commonest variants of lists; a client that asks for every variant must not fill
    # the server's memory with plans.
    conn.prepared_max = 300
    if await leads_to_postgres(conn):
        conn.prepare_threshold = PREPARE_AFTER


def _alive(conn: Connection) -> bool:
    """Whether the server has not closed the connection; polling the socket is 100 times cheaper than a query."""
    pgconn = conn.pgconn
    socket = select.poll()
    socket.register(pgconn.socket, select.POLLIN)
    with suppress(psycopg.OperationalError):
        while socket.poll(0):
            pgconn.consume_input()
    if pgconn.status == ConnStatus.OK:
        return True
    conn.unwatch()  # libpq has just closed the file.
    return False
