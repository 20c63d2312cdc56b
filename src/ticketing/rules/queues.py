"""Queues of jobs: what waits in each, and whether it is paused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ticketing.access import policy
from ticketing.access.actors import Caller
from ticketing.db import sql
from ticketing.ground.errors import found
from ticketing.jobs import kinds
from ticketing.writing import paging, patches, preconditions
from ticketing.writing.idempotency import Claim

FIELDS = ("paused",)
"""What of it can be changed."""
NAME = re.compile(r"[a-z][a-z0-9_.]{0,63}")


async def list_(conn: sql.Connection, actor: Caller, *, limit: int = 25, cursor: str | None = None) -> paging.Page:
    """A page of queues by name. Raises Forbidden, InvalidCursor."""
    policy.require_admin(actor)
    (after,) = paging.opened(cursor, ["queues"], job_name)
    rows = await sql.queues.list_queues(conn, known=kinds.queues(), after=after, page_size=limit + 1)
    return paging.page(rows, limit, ["queues"], lambda row: [row["name"]])


async def get(conn: sql.Connection, actor: Caller, name: str) -> sql.Queue:
    """A queue with its backlog. Raises Forbidden, NotFound."""
    policy.require_admin(actor)
    found(await sql.queues.is_queue(conn, known=kinds.queues(), name=name) or None, f"queue {name!r}")
    return await _queue(conn, name)


async def update(
    conn: sql.Connection, actor: Caller, name: str, patch: Mapping[str, Any], *, if_match: str | None = None
) -> sql.Queue:
    """Apply a merge patch: start no more jobs of a queue and record `queue.paused`, or let them start again and record
    `queue.resumed`. Jobs that run go on.

    Raises Forbidden, NotFound, PreconditionFailed, Invalid.
    """
    queue = await get(conn, actor, name)
    matched = preconditions.match(if_match, queue, FIELDS, patch)
    paused = patches.changeable(patch, queue, FIELDS, matched=matched).get("paused", queue["paused"])
    if paused == queue["paused"]:
        return queue
    change = sql.queues.pause_queue if paused else sql.queues.resume_queue
    if changed := await change(conn, event_id=Claim().event_id, actor_id=actor.id, name=name):
        return changed
    queue = await _queue(conn, name)  # Somebody else has done the same just now.
    preconditions.match(if_match, queue, FIELDS, patch)
    return queue


async def _queue(conn: sql.Connection, name: str) -> sql.Queue:
    return found(await sql.queues.get_queue(conn, name=name), f"queue {name!r}")


def job_name(text: str) -> str:
    """The name of a queue or schedule, as a part of a place. Raises ValueError."""
    if not NAME.fullmatch(text):
        raise ValueError(text)
    return text
