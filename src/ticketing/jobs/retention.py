"""Finished jobs are kept for a while, so that operators can look at them, and then deleted in small batches."""

from __future__ import annotations

from datetime import timedelta

from ticketing.db import pool, sql

BATCH = 1000


async def delete(*, completed_for: timedelta, failed_for: timedelta) -> bool:
    """Delete a batch of jobs that finished long enough ago; return whether there may be more."""
    async with pool.connection() as conn:
        deleted = await sql.job_engine.delete_finished_jobs(
            conn, completed_for=completed_for, failed_for=failed_for, batch=BATCH
        )
    return deleted == BATCH
