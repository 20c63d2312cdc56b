"""`ticketing jobs`: what operators see of background work, and how they intervene."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal
from uuid import UUID

from cyclopts import App

import ticketing.reactions.background  # noqa: F401 (so that all kinds of jobs, and their queues, are known)
from ticketing.access.actors import OPERATOR
from ticketing.commands.console import Limit, confirm, connected, print_one, print_page
from ticketing.contract import Problem
from ticketing.db import sql
from ticketing.ground.refused import Refused
from ticketing.rules import jobs, queues, schedules
from ticketing.writing.idempotency import Claim

# As in sql.pyi, which does not exist at run time.
Status = Literal["available", "running", "completed", "cancelled", "discarded"]
Retried = Literal["available", "cancelled", "discarded"]
Cancelled = Literal["available", "running"]

PAGE = 500

Step = Callable[..., Awaitable[Any]]
"""What is done to one job."""

app = App(name="jobs")


@app.command(name="list")
async def list_jobs(
    *,
    status: Status | None = None,
    type: str | None = None,
    queue: str | None = None,
    limit: Limit = 50,
    json: bool = False,
) -> None:
    """List jobs, newest first.

    For example:

        ticketing jobs list --status discarded --type webhooks.deliver

    Parameters
    ----------
    status
        Only jobs with this status.
    type
        Only jobs of this type.
    queue
        Only jobs in this queue.
    limit
        How many at most.
    json
        Print a JSON array.
    """
    async with connected() as conn:
        page = await jobs.list_(conn, OPERATOR, status=status, type=type, queue=queue, limit=limit)
    print_page(page, ("id", "type", "queue", "status", "attempt", "run_at", "error"), json=json)


@app.command(name="show")
async def show_job(job_id: UUID, *, json: bool = False) -> None:
    """Show a job with the error of each failed attempt.

    For example:

        ticketing jobs show 01a20d1c-6380-7c51-9c5f-5a6f0f2f6d11

    Parameters
    ----------
    job_id
        The job's id.
    json
        Print a JSON object.
    """
    async with connected() as conn:
        print_one(await jobs.get(conn, OPERATOR, job_id), json=json)


@app.command(name="retry")
async def retry_jobs(
    job_id: UUID | None = None,
    *,
    status: Retried = "discarded",
    type: str | None = None,
    queue: str | None = None,
    all: bool = False,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Make a discarded, cancelled or scheduled job due now, with all its attempts.

    Without an id: all jobs of a type or in a queue, once you have seen how many. Ends with 1 if any could not be.

    For example:

        ticketing jobs retry 01a20d1c-6380-7c51-9c5f-5a6f0f2f6d11
        ticketing jobs retry --type webhooks.deliver --yes

    Parameters
    ----------
    job_id
        The job's id.
    status
        Without an id: jobs with this status.
    type
        Without an id: only jobs of this type.
    queue
        Without an id: only jobs in this queue.
    all
        Without an id: jobs of all types in all queues.
    yes
        Do not ask first.
    json
        Print a JSON object: the job, or how many were retried, and how many could not be (refused).
    """
    if job_id is not None:
        async with connected() as conn:
            print_one(await jobs.retry(conn, OPERATOR, job_id, claim=Claim()), json=json)
        return
    await _each("retried", jobs.retry, status, type, queue, all=all, yes=yes, json=json)


@app.command(name="cancel")
async def cancel_jobs(
    job_id: UUID | None = None,
    *,
    status: Cancelled = "available",
    type: str | None = None,
    queue: str | None = None,
    all: bool = False,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Cancel a waiting job; a running one is asked to end within some seconds.

    Without an id: all jobs of a type or in a queue, once you have seen how many. Ends with 1 if any could not be.

    For example:

        ticketing jobs cancel 01a20d1c-6380-7c51-9c5f-5a6f0f2f6d11
        ticketing jobs cancel --queue imports --yes

    Parameters
    ----------
    job_id
        The job's id.
    status
        Without an id: jobs with this status.
    type
        Without an id: only jobs of this type.
    queue
        Without an id: only jobs in this queue.
    all
        Without an id: jobs of all types in all queues.
    yes
        Do not ask first.
    json
        Print a JSON object: the job, or how many were cancelled, and how many could not be (refused).
    """
    if job_id is not None:
        async with connected() as conn:
            print_one(await jobs.cancel(conn, OPERATOR, job_id, claim=Claim()), json=json)
        return
    await _each("cancelled", jobs.cancel, status, type, queue, all=all, yes=yes, json=json)


async def _each(
    done: str,
    step: Step,
    status: sql.JobState,
    type: str | None,
    queue: str | None,
    *,
    all: bool,
    yes: bool,
    json: bool,
) -> None:
    """Retry or cancel many jobs; those that have changed meanwhile, or do not allow it, are left alone."""
    if type is None and queue is None and not all:
        raise Refused("Name a job by its id, or say which ones: by --type or --queue, or else --all.")
    if all and (type or queue):
        raise Refused("--all means all types in all queues. Leave it out, or leave out --type and --queue.")
    count, refused = 0, 0
    async with connected() as conn:
        found = await sql.jobs.count_jobs(conn, status=status, type=type, queue=queue) or 0
        if found:
            confirm(f"{found} {'job is' if found == 1 else 'jobs are'} to be {done}.", yes=yes)
        async for job_id in _ids(conn, status=status, type=type, queue=queue):
            try:
                await step(conn, OPERATOR, job_id, claim=Claim())
                count += 1
            except Problem:
                refused += 1
    if json:
        print_one({done: count, "refused": refused}, json=True)
    else:
        print(f"{count} {done}." + (f" {refused} could not be." if refused else ""))
    if refused:
        raise SystemExit(1)


async def _ids(conn: sql.Connection, **filters: str | None) -> AsyncIterator[UUID]:
    """The ids of jobs, newest first. Changes to jobs meanwhile do not disturb the paging."""
    cursor = None
    while True:
        page = await jobs.list_(conn, OPERATOR, limit=PAGE, cursor=cursor, **filters)
        for job in page["items"]:
            yield UUID(str(job["id"]))
        if (cursor := page["next"]) is None:
            return


@app.command(name="queues")
async def list_queues(*, json: bool = False) -> None:
    """List the queues, and the backlog of each.

    For example:

        ticketing jobs queues

    Parameters
    ----------
    json
        Print a JSON array.
    """
    async with connected() as conn:
        page = await queues.list_(conn, OPERATOR, limit=1000)
    print_page(page, ("name", "paused", "due", "scheduled", "running", "oldest_due_seconds"), json=json)


@app.command(name="pause")
async def pause_queue(queue: str, *, json: bool = False) -> None:
    """Pause a queue: start no more of its jobs. Running ones go on, and new ones are kept.

    For example:

        ticketing jobs pause webhooks

    Parameters
    ----------
    queue
        The queue's name.
    json
        Print a JSON object.
    """
    async with connected() as conn:
        print_one(await queues.update(conn, OPERATOR, queue, {"paused": True}), json=json)


@app.command(name="resume")
async def resume_queue(queue: str, *, json: bool = False) -> None:
    """Resume a queue: start its jobs again.

    For example:

        ticketing jobs resume webhooks

    Parameters
    ----------
    queue
        The queue's name.
    json
        Print a JSON object.
    """
    async with connected() as conn:
        print_one(await queues.update(conn, OPERATOR, queue, {"paused": False}), json=json)


@app.command(name="schedules")
async def list_schedules(*, json: bool = False) -> None:
    """List the schedules.

    For example:

        ticketing jobs schedules

    Parameters
    ----------
    json
        Print a JSON array.
    """
    async with connected() as conn:
        page = await schedules.list_(conn, OPERATOR, limit=1000)
    print_page(page, ("name", "job_type", "cron", "next_run_at", "last_run_at"), json=json)
