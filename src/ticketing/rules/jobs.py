"""Jobs: what an operator sees and does of background work."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from psycopg.errors import UniqueViolation

from ticketing.access import filters, policy
from ticketing.access.actors import Caller
from ticketing.db import bell, sql
from ticketing.ground.errors import JobEnded, JobNotRetriable, found
from ticketing.jobs import kinds
from ticketing.writing import paging
from ticketing.writing.idempotency import Claim

WHY_NOT_RETRIED = {
    "available": "It is due already, and starts as soon as a worker is free.",
    "running": "It is running.",
    "completed": "It has been completed.",
}


async def list_(
    conn: sql.Connection,
    actor: Caller,
    *,
    status: str | None = None,
    type: str | None = None,
    queue: str | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> paging.Page:
    """A page of jobs, newest first.

    Raises Forbidden, InvalidCursor, and InvalidParameter for a type or queue of which nothing here has ever heard.
    """
    policy.require_admin(actor)
    listing = ["jobs", status, type, queue]
    (after,) = paging.opened(cursor, listing, UUID)
    if status or type or queue:
        given = cast("sql.JobState | None", status)
        rows = await sql.jobs.list_jobs_of(conn, status=given, type=type, queue=queue, after=after, page_size=limit + 1)
    else:
        rows = await sql.jobs.list_jobs(conn, after=after, page_size=limit + 1)
    if not rows and cursor is None and (type or queue):
        await _check_named(conn, type, queue)
    return paging.page(rows, limit, listing, lambda row: [row["id"]])


async def _check_named(conn: sql.Connection, type: str | None, queue: str | None) -> None:
    known, queues = sorted(kinds.KINDS), kinds.queues()
    hints = {"type of job": known, "queue": queues}
    names = [filters.Named("type", "type of job", str(type)), filters.Named("queue", "queue", str(queue))]
    unheard = await sql.filters.list_unheard(conn, type=type, queue=queue, types=known, queues=queues)
    filters.refuse(names, unheard, hints)


async def get(conn: sql.Connection, actor: Caller, job_id: UUID) -> sql.Job:
    """A job with the errors of its attempts. Raises Forbidden, NotFound."""
    policy.require_admin(actor)
    return found(await sql.jobs.get_job(conn, job_id=job_id), f"job {job_id}")


async def retry(conn: sql.Connection, actor: Caller, job_id: UUID, *, claim: Claim) -> sql.Job:
    """Let a job run now, with all its attempts, and record `job.retried`.

    Raises Forbidden, NotFound, JobNotRetriable.
    """
    policy.require_admin(actor)
    try:
        job = await sql.jobs.retry_job(conn, **claim.parameters(), actor_id=actor.id, job_id=job_id)
    except UniqueViolation:
        raise JobNotRetriable("Another job of this type with the same unique key waits or runs.") from None
    if job:
        bell.ring()
        return job
    status = (await get(conn, actor, job_id))["status"]
    raise JobNotRetriable(f"This job cannot be retried. {WHY_NOT_RETRIED.get(status, 'It has changed just now.')}")


async def cancel(conn: sql.Connection, actor: Caller, job_id: UUID, *, claim: Claim) -> sql.Job:
    """Cancel a job that waits; one that runs is told to end within some seconds. Records `job.cancelled`.

    Raises Forbidden, NotFound, JobEnded.
    """
    policy.require_admin(actor)
    if job := await sql.jobs.cancel_job(conn, **claim.parameters(), actor_id=actor.id, job_id=job_id):
        return job
    job = await get(conn, actor, job_id)
    if job["status"] == "running":
        return claim.unchanged(job)
    raise JobEnded(f"This job cannot be cancelled any more: it is {job['status']}.")
