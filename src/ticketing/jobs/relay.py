"""The relay: sends messages for due jobs to Redis, and rescues the jobs of silent workers.

Any number of relays may run, one per worker, without a leader: every statement skips rows that another has locked.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from ticketing.db import pool, sql
from ticketing.jobs import figures, messages
from ticketing.jobs.link import Link

BATCH = 500
MOST = 10_000
"""Due jobs are counted up to this number."""
COUNT_SECONDS = 0.2
"""How long a count of waiting messages is used, plus what was sent since: an upper bound."""

log = structlog.get_logger()


class Relay:
    """One worker's part in getting due jobs run, by any worker."""

    def __init__(
        self, link: Link, queues: Iterable[str], *, resend: timedelta, window: int, wake: Callable[[str], None]
    ) -> None:
        self._link = link
        self._queues = list(queues)
        self._resend = resend
        self._window = window
        self._wake = wake
        self._epoch = 0
        self._in_doubt = False
        self._sure_since: datetime | None = None
        self._waiting: dict[str, int] = {}
        self._count_at = 0.0

    async def dispatch(self) -> bool:
        """Send messages for due jobs, as far as Redis has room; return whether there are more.

        We may die between the statement and the message: a job that was marked as dispatched, but was not, is
        dispatched again after `resend`. If anything else goes wrong in between, or Redis has lost its memory, nobody
        knows which messages arrived, and everything dispatched before is sent again.
        """
        if self._link.away:
            self._in_doubt = True
            return False
        try:
            return await self._dispatch()
        except BaseException:
            self._in_doubt = True
            raise

    async def _dispatch(self) -> bool:
        if self._in_doubt or time.monotonic() >= self._count_at:
            await self._count()
        # While plenty of messages wait, there is no need to look for more.
        rooms = [
            min(BATCH, self._window - self._waiting[queue]) * (self._waiting[queue] <= self._window // 2)
            for queue in self._queues
        ]
        if not any(rooms):
            return False
        async with pool.connection() as conn:
            rows = await sql.job_engine.dispatch_jobs(
                conn,
                queues=self._queues,
                rooms=rooms,
                resend_after=self._resend,
                void_before=self._sure_since,
            )
        found: dict[str, list[UUID]] = defaultdict(list)
        for row in rows:
            found[row["queue"]].append(row["id"])
        for queue, job_ids in found.items():
            await messages.push(self._link.client, self._link.namespace, queue, job_ids)
            self._waiting[queue] += len(job_ids)
            figures.DISPATCHED.labels(queue).inc(len(job_ids))
            self._wake(queue)
        return any(len(job_ids) >= BATCH for job_ids in found.values())

    async def rescue(self) -> None:
        """Take jobs back from workers that have gone silent."""
        async with pool.connection() as conn:
            rows = await sql.job_engine.rescue_jobs(conn)
        for row in rows:
            figures.RESCUED.labels(row["kind"]).inc()
            if row["state"] == "discarded":
                figures.DISCARDED.labels(row["kind"]).inc()
            log.warning("job rescued", id=str(row["id"]), type=row["kind"], attempt=row["attempt"], status=row["state"])

    async def measure(self) -> None:
        """Measure the backlog of each queue."""
        async with pool.connection() as conn:
            rows = await sql.job_engine.measure_queues(conn, queues=self._queues, most=MOST)
        for row in rows:
            figures.DUE.labels(row["queue"]).set(row["due"] or 0)
            figures.OLDEST.labels(row["queue"]).set(row["oldest_due_seconds"] or 0)
            figures.LATE.labels(row["queue"]).set(row["late_seconds"] or 0)
            figures.RUNNING.labels(row["queue"]).set(row["running"] or 0)

    async def _count(self) -> None:
        """Count the messages waiting in each queue, and check whether Redis has lost its memory."""
        async with self._link.client.pipeline(transaction=False) as pipe:
            pipe.incr(f"{self._link.namespace}:epoch")
            for queue in self._queues:
                pipe.llen(f"{self._link.namespace}:{queue}")
            epoch, *lengths = await pipe.execute()
        # The epoch only ever counts up. If it restarts, Redis was wiped; if it goes back, it was restored. And while
        # Redis was down, messages may have gone to connections that nobody reads any more.
        forgot = self._epoch > 0 and epoch <= self._epoch
        self._epoch = epoch
        if forgot:
            self._in_doubt = True
            figures.EPOCHS.inc()
            log.warning("Redis has lost its memory")
        if self._in_doubt or epoch == 1:
            async with pool.connection() as conn:
                self._sure_since = await sql.job_engine.tell_time(conn)
        self._in_doubt = False
        self._waiting = dict(zip(self._queues, lengths, strict=True))
        self._count_at = time.monotonic() + COUNT_SECONDS
