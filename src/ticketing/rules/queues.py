"""Queues of jobs: what waits in each, and whether it is paused."""

from __future__ import annotations

import re

from psycopg.errors import UniqueViolation

from ticketing.access import policy
from ticketing.access.actors import Caller
from ticketing.db import bell, sql
from ticketing.ground.errors import found
from ticketing.jobs import kinds
from ticketing.writing import paging
from ticketing.writing.idempotency import Claim

NAME = re.compile(r"[a-z][a-z0-9_.]{0,63}")


async def list_(conn: sql.Connection, actor: Caller, *, limit: int = 25, cursor: str | None = None) -> paging.Page:
    """A page of queues by name. Raises Forbidden, InvalidCursor."""
    policy.require_admin(actor)
    (after,) = paging.opened(cursor, ["queues"], job_name)
    rows = await sql.queues.list_queues(conn, known=kinds.queues(), after=after, page_size=limit + 1)
    return paging.page(rows, limit, ["queues"], lambda row: [row["name"]])


async def pause(conn: sql.Connection, actor: Caller, name: str, *, claim: Claim) -> sql.Queue:
    """Start no more jobs of a queue, and record `queue.paused`; again is no change. Jobs that run go on.

    Raises Forbidden, NotFound.
    """
    policy.require_admin(actor)
    await _require_queue(conn, name)
    try:
        queue = await sql.queues.pause_queue(conn, **claim.parameters(), actor_id=actor.id, name=name)
    except UniqueViolation:  # Somebody else has paused it just now.
        queue = None
    return queue or claim.unchanged(await _queue(conn, name))


async def resume(conn: sql.Connection, actor: Caller, name: str, *, claim: Claim) -> sql.Queue:
    """Start jobs of a queue again, and record `queue.resumed`; again is no change. Raises as `pause_queue`."""
    policy.require_admin(actor)
    await _require_queue(conn, name)
    if queue := await sql.queues.resume_queue(conn, **claim.parameters(), actor_id=actor.id, name=name):
        bell.ring()
        return queue
    return claim.unchanged(await _queue(conn, name))


async def _require_queue(conn: sql.Connection, name: str) -> None:
    found(await sql.queues.is_queue(conn, known=kinds.queues(), name=name) or None, f"queue {name!r}")


async def _queue(conn: sql.Connection, name: str) -> sql.Queue:
    return found(await sql.queues.get_queue(conn, name=name), f"queue {name!r}")


def job_name(text: str) -> str:
    """The name of a queue or schedule, as a part of a place. Raises ValueError."""
    if not NAME.fullmatch(text):
        raise ValueError(text)
    return text
