"""What keeps the log in order: old events go, and after a restore new ones come last."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ticketing.db import sql

LEAST_DAYS = 1
"""An Idempotency-Key answers for 24 hours with what its event holds."""
MEND = "Run `ticketing migrate`, which mends it."


async def expire(conn: sql.Connection, *, days: int, batch: int) -> int:
    """Take a batch of events out of the log that are older than this, and give how many; 0 days keep all of them.

    Cursors from before what is left expire. Call it again until it gives 0.
    """
    if days == 0:
        return 0
    before = datetime.now(UTC) - timedelta(days=max(days, LEAST_DAYS))
    return await sql.events.expire_events(conn, recorded_before=before, batch=batch)


async def mend(conn: sql.Connection) -> bool:
    """Let the log of a database that was restored on another server go on; gives whether it had to be mended."""
    return bool(await sql.events.mend_event_log(conn))


async def ahead(conn: sql.Connection) -> bool:
    """Whether the log has to be mended: new events would come before old ones."""
    return bool(await sql.events.is_event_log_ahead(conn))
