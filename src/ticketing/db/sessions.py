"""Sessions of commands: one connection, with limits of its own, whether or not a pooler is in between.

PgBouncer drops the limits that a connection asks for, so the session sets them itself. In transaction mode PgBouncer
gives each transaction whatever session is free: what one sets or locks there, others have.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from ticketing.db import pool
from ticketing.ground.refused import Refused

UNLIMITED = dict.fromkeys(
    (
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "idle_session_timeout",
        "transaction_timeout",
    ),
    "0",
)
"""What a role, a database or a URL may limit, and must not limit for a command that takes long by design."""
LIMIT = """
select set_config(name, %(limits)s::jsonb ->> name, false) from pg_settings where %(limits)s::jsonb ? name
"""
TURN_SECONDS = 2.0


class Shared(Refused):
    """A pooler exchanges sessions, and the command needs one of its own."""

    def __init__(self) -> None:
        super().__init__(
            "A pooler exchanges sessions after each transaction, and this command needs one of its own. Connect "
            "directly: let TICKETING_DATABASE_URL lead to PostgreSQL itself, or to a pooler in session mode."
        )


@asynccontextmanager
async def opened(url: str, *, own: bool = False, **limits: str) -> AsyncIterator[AsyncConnection[Any]]:
    """A connection in autocommit, without time limits except the given ones, whatever role and database say.

    With `own`, it keeps one session until it is closed; raises Shared if it cannot.
    """
    async with await AsyncConnection.connect(**pool.patient(url)) as conn:
        if await pool.leads_to_postgres(conn):
            conn.prepare_threshold = pool.PREPARE_AFTER
        elif not await keeps_its_session(conn, url):
            if own:
                raise Shared
            yield conn
            return
        await conn.execute(LIMIT, {"limits": Jsonb(UNLIMITED | limits)})
        yield conn
        if own:
            # PostgreSQL notices a little later that a connection was closed; the next command may be there sooner.
            await conn.execute("select pg_advisory_unlock_all()")


async def keeps_its_session(conn: AsyncConnection[Any], url: str) -> bool:
    """Whether no other connection gets the session of this one while it is idle."""
    ours = await pool.session_id(conn)
    async with await AsyncConnection.connect(**pool.patient(url)) as other:
        # If the pooler has no session left for the other connection, it has not given ours away either.
        with suppress(TimeoutError):
            async with asyncio.timeout(TURN_SECONDS), other.transaction():
                return await pool.session_id(other) != ours and await pool.session_id(conn) == ours
    return True
