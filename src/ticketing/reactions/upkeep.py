"""What the service does by itself, on a schedule. Each round is a job: seen by operators, retried, done by one worker.

A round works in batches, a transaction each, and finds again what an interrupted one has left.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import uuid_utils.compat as uuids

from ticketing import jobs
from ticketing.db import pool, sql
from ticketing.ground.config import settings
from ticketing.jobs import Job
from ticketing.log import upkeep

BATCH = 20
"""Tickets or events in one statement. A ticket may have a quarter of a megabyte, which its event holds once more: many
more of those could not be written in the time that a statement has, and would be tried for ever."""
KEYS_BATCH = 5000
SESSIONS_KEPT_DAYS = 30
"""How long a session is kept that has ended."""


@jobs.schedule("close_resolved_tickets", "*/5 * * * *", missed="last")
@jobs.handler("tickets.close_resolved", queue="upkeep", timeout=240, shown=("slot",))
async def close_resolved_tickets(_: Job) -> None:
    """Close what was resolved `close_days` ago: by then its requester had the time to say that it was not solved."""
    if days := settings().close_days:
        await _batches(BATCH, lambda conn: sql.tickets.close_resolved_tickets(conn, event_ids=_ids(), days=days))


@jobs.schedule("escalate_tickets", "* * * * *", missed="last")
@jobs.handler("tickets.escalate", queue="upkeep", timeout=240, shown=("slot",))
async def escalate_tickets(_: Job) -> None:
    """Tell, by an event, of critical tickets that no agent has answered for `escalate_hours`."""
    if hours := settings().escalate_hours:
        await _batches(BATCH, lambda conn: sql.tickets.escalate_tickets(conn, event_ids=_ids(), hours=hours))


@jobs.schedule("delete_expired_idempotency_keys", "*/10 * * * *", missed="last")
@jobs.handler("idempotency_keys.delete_expired", queue="upkeep", timeout=240, shown=("slot",))
async def delete_expired_idempotency_keys(_: Job) -> None:
    """Delete keys that may be used anew, secrets kept for repeated requests, and what has expired for good."""
    await _batches(
        KEYS_BATCH, lambda conn: sql.idempotency_keys.delete_expired_idempotency_keys(conn, batch=KEYS_BATCH)
    )
    async with pool.connection() as conn:
        await sql.tokens.delete_expired_sealed_tokens(conn)
        await sql.stream_passes.delete_expired_stream_passes(conn)
        await sql.presences.delete_expired_presences(conn)
        await sql.sign_in_codes.delete_old_sign_in_codes(conn)
        await sql.sessions.delete_old_sessions(conn, days=SESSIONS_KEPT_DAYS)


@jobs.schedule("expire_events", "*/10 * * * *", missed="last")
@jobs.handler("events.expire", queue="upkeep", timeout=240, shown=("slot",))
async def expire_events(_: Job) -> None:
    """Take events out of the log that are older than `event_days`."""
    await _batches(BATCH, lambda conn: upkeep.expire(conn, days=settings().event_days, batch=BATCH))


def _ids() -> list[uuids.UUID]:
    return [uuids.uuid7() for _ in range(BATCH)]


async def _batches(size: int, work: Callable[[sql.Connection], Awaitable[int]]) -> None:
    """Batch after batch, until one is not full."""
    while True:
        async with pool.connection() as conn:
            if await work(conn) < size:
                return
