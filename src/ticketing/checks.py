"""`ticketing doctor`: whether what the service needs is there, each said in a sentence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import tuple_row
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ticketing import events, migrate
from ticketing.config import InvalidSetting, Settings, settings
from ticketing.webhooks import endpoints

OLDEST_POSTGRES = 15
PATIENCE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, and how it is."""

    what: str
    passed: bool
    finding: str


async def run() -> AsyncIterator[Check]:
    """Look at one thing after the other; nothing is changed."""
    try:
        chosen = settings()
        endpoints.check_settings(chosen)
    except InvalidSetting as error:
        yield Check("Settings", False, str(error))
        return
    yield Check("Settings", True, "they can be read.")
    async for check in _database(chosen):
        yield check
    yield await _redis(chosen)


async def _database(chosen: Settings) -> AsyncIterator[Check]:
    try:
        conn = await AsyncConnection.connect(
            chosen.database_url, autocommit=True, connect_timeout=PATIENCE_SECONDS, row_factory=tuple_row
        )
    except psycopg.Error as error:
        yield Check("PostgreSQL", False, sentence(error))
        return
    async with conn:
        release = conn.info.server_version // 10_000
        yield Check(
            "PostgreSQL",
            release >= OLDEST_POSTGRES,
            f"release {release}." if release >= OLDEST_POSTGRES else f"release {release}; {OLDEST_POSTGRES} is needed.",
        )
        pending = await migrate.pending(conn)
        current = await migrate.current(conn)
        ahead = not pending and await events.ahead(conn)
    yield Check(
        "Schema",
        not pending,
        f"pending: {', '.join(pending)}. Run `ticketing migrate`." if pending else f"it is at {current}.",
    )
    if not pending:
        yield Check(
            "Event log",
            not ahead,
            f"it is ahead of this server, as after a restore. {events.MEND}" if ahead else "it can be read on.",
        )


async def _redis(chosen: Settings) -> Check:
    try:
        async with Redis.from_url(chosen.redis_url, socket_connect_timeout=PATIENCE_SECONDS) as redis:
            await redis.ping()
    except (RedisError, OSError, ValueError) as error:
        return Check("Redis", False, sentence(error))
    return Check("Redis", True, "it answers.")


def sentence(error: Exception) -> str:
    """The first line of what a driver says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".") + "."
