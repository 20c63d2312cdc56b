"""Scheduled jobs: one per time of a schedule, however many workers watch the clock."""

from __future__ import annotations

from datetime import UTC, datetime

from psycopg.types.json import Jsonb

from ticketing.db import pool, sql
from ticketing.jobs import kinds


async def register() -> None:
    """Store the declared schedules. A new one starts with its next time."""
    async with pool.connection() as conn:
        now = await sql.job_engine.get_time(conn)
        assert now is not None
        for schedule in kinds.SCHEDULES.values():
            kind = kinds.kind(schedule.kind)
            await sql.job_engine.register_schedule(
                conn,
                name=schedule.name,
                kind=kind.name,
                queue=kind.queue,
                cron=schedule.cron,
                next_run_at=schedule.after(now.astimezone(UTC)),
            )


async def run() -> bool:
    """Make the jobs of times that have come, or were missed; return whether there were any."""
    async with pool.connection() as conn:
        due = await sql.job_engine.due_schedules(conn, names=list(kinds.SCHEDULES))
        for row in due:
            # The database's clock: a worker's own may be ahead, and would skip the moments in between.
            assert row["now"] is not None
            await _run(conn, kinds.SCHEDULES[row["name"]], row["next_run_at"], row["now"])
    return bool(due)


async def _run(conn: sql.Connection, schedule: kinds.Schedule, due: datetime, now: datetime) -> None:
    kind = kinds.kind(schedule.kind)
    moment = due.astimezone(UTC)
    if schedule.missed == "last":
        moment = max(moment, schedule.last(now.astimezone(UTC)))
    await sql.job_engine.run_schedule(
        conn,
        name=schedule.name,
        due=due,
        slot=moment,
        next_run_at=schedule.after(moment),
        sweeps=schedule.missed == "last",
        kind=kind.name,
        args=Jsonb({"slot": moment.isoformat()}),
        queue=kind.queue,
        priority=kind.priority,
        max_attempts=kind.max_attempts,
        unique_key=f"{schedule.name} {moment.isoformat()}",
        shown=["slot"],
    )
