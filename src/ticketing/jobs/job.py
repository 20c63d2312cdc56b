"""A job: how to enqueue one, and what its handler gets."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from ticketing.db import bell, pool, sql
from ticketing.jobs import kinds

LONGEST_ERROR = 500
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class Snooze(Exception):
    """Raised by a handler: run again after so many seconds, without counting this attempt."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Not before {seconds} seconds have passed.")
        self.seconds = seconds


class Cancel(Exception):
    """Raised by a handler: the job is no longer wanted; the message says why."""


class Fenced(Exception):
    """The job now belongs to another attempt, or has ended. This attempt's writes are rolled back."""

    def __init__(self) -> None:
        super().__init__("This job has meanwhile gone to another worker, or has ended.")


async def enqueue(
    conn: sql.Connection,
    kind: str,
    args: Mapping[str, Any],
    *,
    run_at: datetime | None = None,
    priority: int | None = None,
    unique_key: str | None = None,
    ordering_key: str | None = None,
    group: str | None = None,
) -> UUID | None:
    """Add a job in the caller's transaction: it exists if that commits. None if there is one with the unique key.

    Jobs with one ordering key run one at a time, in the order in which they were enqueued; of jobs in one group, at
    most their kind's `group_limit` run at once. A job has at most one of the two.
    """
    declared = kinds.kind(kind)
    if group is not None and (ordering_key is not None or declared.group_limit is None):
        raise ValueError("A group needs the kind's group_limit, and excludes an ordering key.")
    return await sql.job_engine.enqueue_job(
        conn,
        kind=kind,
        args=Jsonb(dict(args)),
        queue=declared.queue,
        run_at=run_at,
        priority=declared.priority if priority is None else priority,
        max_attempts=declared.max_attempts,
        unique_key=unique_key,
        ordering_key=ordering_key,
        group_name=group,
        group_limit=None if group is None else declared.group_limit,
        shown=list(declared.shown),
    )


class Job:
    """One attempt at a job, as its handler sees it."""

    __slots__ = ("args", "attempt", "ending", "fence", "id", "kind", "laned", "max_attempts", "outcome", "queue")

    def __init__(self, claimed: Mapping[str, Any]) -> None:
        self.id: UUID = claimed["id"]
        self.kind: str = claimed["kind"]
        self.queue: str = claimed["queue"]
        self.args: dict[str, Any] = claimed["args"]
        self.attempt: int = claimed["attempt"]
        self.max_attempts: int = claimed["max_attempts"]
        self.fence: int = claimed["fence"]
        self.laned: bool = claimed["laned"]
        self.ending = False
        self.outcome: str | None = None

    @asynccontextmanager
    async def finish(self, *, ring: bool = True) -> AsyncIterator[sql.Connection]:
        """A transaction that completes the job together with what the block writes. Raises Fenced.

        It locks the job's row first, so an attempt that has lost the job writes nothing at all. Do nothing slow in
        it, and nothing that reaches outside the database. The commit rings the bell; a block that writes neither
        events nor jobs does without, as every ring has all workers look.
        """
        async with self._ending(self._complete, ring=ring) as conn:
            yield conn

    @asynccontextmanager
    async def retry(self, after_seconds: float, error: str) -> AsyncIterator[sql.Connection]:
        """As `finish`, but the job runs again after so many seconds, or is discarded after its last attempt."""
        async with self._ending(partial(self.fail, after_seconds=after_seconds, error=error), ring=True) as conn:
            yield conn

    async def fail(self, conn: sql.Connection, *, after_seconds: float, error: str) -> str | None:
        """Record a failure, and return the outcome: `failed` if the job runs again, `discarded` after its last
        attempt, `cancelled` if an operator wants it to end. None if the job is not ours any more.
        """
        state = await sql.job_engine.fail_job(
            conn, job_id=self.id, fence=self.fence, error=storable(error), delay=timedelta(seconds=after_seconds)
        )
        return "failed" if state == "available" else state

    async def _complete(self, conn: sql.Connection) -> str | None:
        return "completed" if await sql.job_engine.complete_job(conn, job_id=self.id, fence=self.fence) else None

    @asynccontextmanager
    async def _ending(
        self, end: Callable[[sql.Connection], Awaitable[str | None]], *, ring: bool
    ) -> AsyncIterator[sql.Connection]:
        self.ending = True
        try:
            async with pool.transaction() as conn:
                if not (outcome := await end(conn)):
                    raise Fenced
                yield conn
        finally:
            self.ending = False
        self.outcome = outcome
        if ring:
            bell.ring()


def storable(error: str) -> str:
    """The beginning of an error's message, without what PostgreSQL's text cannot hold: NUL and halves of letters."""
    return UNSTORABLE.sub("\ufffd", error[:LONGEST_ERROR])
