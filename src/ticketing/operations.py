"""Operations: what an operator sees and does of background work. No actor: whoever has the command line."""

from __future__ import annotations

import re
from typing import Any, cast
from uuid import UUID

from psycopg.errors import UniqueViolation

from ticketing import bell, filters, idempotency, paging, policy, sql
from ticketing.auth import Caller
from ticketing.errors import Conflict, found
from ticketing.idempotency import Claim
from ticketing.jobs import kinds

NAME = re.compile(r"[a-z][a-z0-9_.]{0,63}")
WHY_NOT_RETRIED = {
    "available": "It is due already, and starts as soon as a worker is free.",
    "running": "It is running.",
    "completed": "It has been completed.",
}


async def list_jobs(
    conn: sql.Connection,
    actor: Caller,
    *,
    state: str | None = None,
    kind: str | None = None,
    queue: str | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> paging.Page:
    """A page of jobs, newest first.

    Raises Forbidden, InvalidCursor, and InvalidParameter for a kind or queue of which nothing here has ever heard.
    """
    policy.require_admin(actor)
    listing = ["jobs", state, kind, queue]
    (after,) = paging.opened(cursor, listing, UUID)
    rows = await sql.operations.list_jobs(
        conn, state=cast("sql.JobState | None", state), kind=kind, queue=queue, after=after, page_size=limit + 1
    )
    if not rows and cursor is None and (kind or queue):
        await _check_named(conn, kind, queue)
    return paging.page(rows, limit, listing, lambda row: [row["id"]])


async def _check_named(conn: sql.Connection, kind: str | None, queue: str | None) -> None:
    known, queues = sorted(kinds.KINDS), kinds.queues()
    names = [filters.Named("kind", "kind of jobs", str(kind)), filters.Named("queue", "queue", str(queue))]
    unheard = await sql.filters.list_unheard(conn, kind=kind, queue=queue, kinds=known, queues=queues)
    hints = {"kind of jobs": f" There are {', '.join(known)}.", "queue": f" There are {', '.join(queues)}."}
    filters.refuse(names, unheard, hints)


async def get_job(conn: sql.Connection, actor: Caller, job_id: UUID) -> sql.Job:
    """A job with the errors of its attempts. Raises Forbidden, NotFound."""
    policy.require_admin(actor)
    return found(await sql.operations.get_job(conn, job_id=job_id), f"job {job_id}")


async def retry_job(conn: sql.Connection, actor: Caller, job_id: UUID, *, claim: Claim) -> sql.Job | dict[str, Any]:
    """Let a job run now, with all its attempts, and record `job.retried`.

    Raises Forbidden, NotFound, Conflict (it runs, is due or is done, or another one has its unique key), KeyReused.
    """
    policy.require_admin(actor)
    try:
        job = await sql.operations.retry_job(conn, **claim.parameters(), actor_id=actor.id, job_id=job_id)
    except UniqueViolation:
        raise Conflict("Another job of this kind with the same unique key waits or runs.") from None
    if job:
        bell.ring()
        return job
    if answer := await idempotency.replay(conn, actor, claim):
        return answer
    state = (await get_job(conn, actor, job_id))["state"]
    raise Conflict(f"This job cannot be retried. {WHY_NOT_RETRIED.get(state, 'It has changed just now.')}")


async def cancel_job(conn: sql.Connection, actor: Caller, job_id: UUID, *, claim: Claim) -> sql.Job | dict[str, Any]:
    """Cancel a job that waits; one that runs is told to end within some seconds. Records `job.cancelled`.

    Raises Forbidden, NotFound, Conflict (it has ended), KeyReused.
    """
    policy.require_admin(actor)
    if job := await sql.operations.cancel_job(conn, **claim.parameters(), actor_id=actor.id, job_id=job_id):
        return job
    if answer := await idempotency.replay(conn, actor, claim):
        return answer
    job = await get_job(conn, actor, job_id)
    if job["state"] == "running":
        return job
    raise Conflict(f"This job cannot be cancelled any more: it is {job['state']}.")


async def list_queues(
    conn: sql.Connection, actor: Caller, *, limit: int = 25, cursor: str | None = None
) -> paging.Page:
    """A page of queues by name. Raises Forbidden, InvalidCursor."""
    policy.require_admin(actor)
    (after,) = paging.opened(cursor, ["queues"], _name)
    rows = await sql.operations.list_queues(conn, known=kinds.queues(), after=after, page_size=limit + 1)
    return paging.page(rows, limit, ["queues"], lambda row: [row["name"]])


async def pause_queue(conn: sql.Connection, actor: Caller, name: str, *, claim: Claim) -> sql.Queue | dict[str, Any]:
    """Start no more jobs of a queue, and record `queue.paused`; again is no change. Jobs that run go on.

    Raises Forbidden, NotFound, KeyReused.
    """
    policy.require_admin(actor)
    await _require_queue(conn, name)
    try:
        queue = await sql.operations.pause_queue(conn, **claim.parameters(), actor_id=actor.id, name=name)
    except UniqueViolation:  # Somebody else has paused it just now.
        queue = None
    if queue:
        return queue
    return await idempotency.replay(conn, actor, claim) or await _queue(conn, name)


async def resume_queue(conn: sql.Connection, actor: Caller, name: str, *, claim: Claim) -> sql.Queue | dict[str, Any]:
    """Start jobs of a queue again, and record `queue.resumed`; again is no change. Raises as `pause_queue`."""
    policy.require_admin(actor)
    await _require_queue(conn, name)
    if queue := await sql.operations.resume_queue(conn, **claim.parameters(), actor_id=actor.id, name=name):
        bell.ring()
        return queue
    return await idempotency.replay(conn, actor, claim) or await _queue(conn, name)


async def list_schedules(
    conn: sql.Connection, actor: Caller, *, limit: int = 25, cursor: str | None = None
) -> paging.Page:
    """A page of schedules by name. Raises Forbidden, InvalidCursor."""
    policy.require_admin(actor)
    (after,) = paging.opened(cursor, ["schedules"], _name)
    rows = await sql.operations.list_schedules(conn, after=after, page_size=limit + 1)
    return paging.page(rows, limit, ["schedules"], lambda row: [row["name"]])


def _name(text: str) -> str:
    """The name of a queue or schedule, as a part of a place."""
    if not NAME.fullmatch(text):
        raise ValueError(text)
    return text


async def _require_queue(conn: sql.Connection, name: str) -> None:
    found(await sql.operations.is_queue(conn, known=kinds.queues(), name=name) or None, f"queue {name!r}")


async def _queue(conn: sql.Connection, name: str) -> sql.Queue:
    return found(await sql.operations.get_queue(conn, name=name), f"queue {name!r}")
