"""Readiness: the database answers, has the schema that this code needs, and takes writes."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from ticketing.db import migrate, outages
from ticketing.log import upkeep


async def obstacle(conn: AsyncConnection[Any]) -> str | None:
    """What prevents work, and what to do about it; or None. Raises psycopg.Error."""
    if missing := await migrate.pending(conn):
        return f"The database lacks {', '.join(missing)}. Run `ticketing migrate`."
    if await upkeep.ahead(conn):
        return f"The event log is ahead of this server, as after a restore. {upkeep.MEND}"
    if await _read_only(conn):
        return str(outages.CAUSES["25006"])
    # Try it: other processes may know what this one does not, and one that is not ready gets no requests.
    if outages.may_not_write():
        await outages.write(conn)
    return None


async def _read_only(conn: AsyncConnection[Any]) -> bool:
    cursor = conn.cursor(row_factory=tuple_row)
    await cursor.execute("select current_setting('transaction_read_only')::bool")
    row = await cursor.fetchone()
    return bool(row and row[0])
