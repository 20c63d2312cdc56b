"""What is done about mails every hour: forget old ones, and give up those that no job will send."""

from __future__ import annotations

from ticketing import jobs
from ticketing.db import pool, sql
from ticketing.ground.config import settings

BATCH = 1000
MOST_CAPTURED = 10_000
"""Captured mails that are kept: where nobody has set up a server, nobody reads more."""
STRAY_MINUTES = 15
STRAY = "Its job was cancelled, or has used up its tries."


@jobs.schedule("mails.upkeep", "37 * * * *", missed="last")
@jobs.handler("mails.upkeep", queue="upkeep", timeout=240, shown=("slot",))
async def upkeep(_: jobs.Job) -> None:
    async with pool.connection() as conn:
        while await sql.mails.fail_stray_mails(conn, error=STRAY, minutes=STRAY_MINUTES, batch=BATCH) >= BATCH:
            pass
        while await sql.mails.delete_old_mails(conn, days=settings().mail_days, batch=BATCH) >= BATCH:
            pass
        while await sql.mails.delete_captured_mails(conn, most=MOST_CAPTURED, batch=BATCH) >= BATCH:
            pass
