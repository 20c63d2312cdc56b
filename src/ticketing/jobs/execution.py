"""Running jobs: claims, leases, time limits, and recording the outcome."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent import futures
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, Literal, TypeAlias, cast
from uuid import UUID

import structlog

from ticketing.db import pool, sql
from ticketing.jobs import figures, kinds
from ticketing.jobs.job import Cancel, Fenced, Job, Snooze, storable
from ticketing.jobs.together import Together

UNKNOWN_KIND_SECONDS = 10.0
"""The longest pause before a job of an unknown kind is tried again; during a release another worker may know it."""
WRITE_ATTEMPTS = 4
FIRST_WAIT_SECONDS = 0.005
LONGEST_WAIT_SECONDS = 0.5
"""The first and the longest wait before a locked job is claimed again."""

log = structlog.get_logger()
# PostgreSQL's catalog does not know that a function's columns are never null.
Claimed: TypeAlias = dict[str, Any]
Reason = Literal["lost", "unwanted", "stopping"]


class Execution:
    """The jobs that this process runs, and their statements; `freed` is called when a lane may have room."""

    def __init__(self, lease: timedelta, freed: Callable[[], None] = lambda: None) -> None:
        self._lease = lease
        self._freed = freed
        self._stopping = False
        self._held: dict[UUID, _Held] = {}
        self._claims = Together(self._claim)
        self._completions = Together(self._complete)
        self._running: set[asyncio.Task[None]] = set()

    def start(self, job_id: UUID, queue: str, ended: Callable[[BaseException | None], None]) -> None:
        """Run a job for another thread; `ended` is called at its end, with the error if running it failed."""

        def notify(task: asyncio.Task[None]) -> None:
            self._running.discard(task)
            ended(futures.CancelledError() if task.cancelled() else task.exception())

        self._running.add(task := asyncio.create_task(self.run(job_id, queue)))
        task.add_done_callback(notify)

    async def run(self, job_id: UUID, queue: str) -> None:
        """Run a job that was announced as due, if it is still available."""
        held = await self._claimed(job_id)
        if held is None:
            figures.STALE.labels(queue).inc()
        else:
            await self._do(held)

    async def _claimed(self, job_id: UUID) -> _Held | None:
        """The job, if it is available. Retries while it is locked: no other worker has been told of it."""
        wait = FIRST_WAIT_SECONDS
        while not self._stopping:
            try:
                if (claimed := await self._claims.ask(job_id)) != "locked":
                    return claimed
            except pool.Unavailable:
                pass
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)
        with suppress(pool.Unavailable):
            await _statement(sql.job_engine.recall_jobs, job_ids=[job_id])
        return None

    async def take(self, threads: dict[str, int]) -> list[Awaitable[None]]:
        """Claim due jobs without a hint, as many as there are free threads; awaiting the results runs them."""
        busy = Counter(held.job.queue for held in self._held.values())
        async with pool.connection() as conn:
            rows = await sql.job_engine.claim_due_jobs(
                conn,
                queues=list(threads),
                rooms=[threads[queue] - busy[queue] for queue in threads],
                lease=self._lease,
            )
        return [self._do(self._hold(cast(Claimed, row))) for row in rows]

    async def keep(self) -> None:
        """Extend the leases of all jobs; end those that are lost or no longer wanted."""
        if not self._held:
            return
        jobs = [held.job for held in self._held.values()]
        async with pool.connection() as conn:
            leases = await sql.job_engine.extend_leases(
                conn, job_ids=[job.id for job in jobs], fences=[job.fence for job in jobs], lease=self._lease
            )
        for lease in leases:
            held = self._held.get(lease["id"]) if lease["id"] else None
            if held is None or held.job.fence != lease["fence"]:
                continue
            if not lease["ours"]:
                held.end("lost")
            elif lease["unwanted"]:
                held.end("unwanted")

    def stop(self) -> None:
        """End all handlers and begin no more; their jobs are available again at once, and none loses an attempt."""
        self._stopping = True
        for held in self._held.values():
            held.end("stopping")

    async def _claim(self, job_ids: list[UUID]) -> dict[UUID, _Held | Literal["locked"]]:
        async with pool.connection() as conn:
            rows = await sql.job_engine.claim_jobs(conn, job_ids=job_ids, lease=self._lease)
        claimed = {row["id"]: row for row in cast(list[Claimed], rows)}
        missed = [job_id for job_id in job_ids if job_id not in claimed]
        locked = await self._locked(missed) if missed else []
        # Held last: the lease of a job for which nobody gets a reply would be extended for ever.
        return {job_id: self._hold(row) for job_id, row in claimed.items()} | dict.fromkeys(locked, "locked")

    async def _locked(self, missed: list[UUID]) -> list[UUID]:
        """Those of the jobs that a claim did not get that have to be claimed again."""
        try:
            async with pool.connection() as conn:
                left = await sql.job_engine.list_missed_jobs(conn, job_ids=missed)
        except pool.Unavailable:
            return missed  # Any of them may be locked.
        if not all(job["locked"] for job in left):
            self._freed()  # A lane had room when its job was announced, and may have room by now.
        return [job["id"] for job in left if job["locked"]]

    def _hold(self, row: Claimed) -> _Held:
        figures.WAITED.labels(row["queue"]).observe(max(0.0, row["waited"]))
        held = self._held[row["id"]] = _Held(Job(row))
        if self._stopping:
            held.end("stopping")
        return held

    async def _do(self, held: _Held) -> None:
        job, started = held.job, time.perf_counter()
        try:
            outcome = await self._settle(held, await held.handle())
        except pool.Unavailable:
            outcome = "unwritten"  # Its lease will expire, and it will be rescued.
        finally:
            if self._held.get(job.id) is held:
                del self._held[job.id]
        seconds = time.perf_counter() - started
        figures.ATTEMPTS.labels(job.kind, outcome).inc()
        figures.SECONDS.labels(job.kind).observe(seconds)
        if outcome == "discarded":
            figures.DISCARDED.labels(job.kind).inc()
        if outcome == "fenced":
            figures.FENCED.labels(job.kind).inc()
        # A snoozed job comes again and again, as deliveries do while nothing is sent.
        (log.debug if outcome == "snoozed" else log.info)(
            "job", id=str(job.id), type=job.kind, attempt=job.attempt, outcome=outcome, ms=round(seconds * 1000, 2)
        )
        if job.laned:
            self._freed()  # The next one in its lane may run now, here or elsewhere.

    async def _settle(self, held: _Held, error: BaseException | None) -> str:
        """Record how a job ended, unless its handler has; return the name of the outcome."""
        job = held.job
        if job.outcome is not None:
            if error is not None:
                log.warning("job failed after its end", id=str(job.id), type=job.kind, error=_sentence(error))
            return job.outcome
        own = {"job_id": job.id, "fence": job.fence}
        match error:
            case None:
                ours: Any = await _written(lambda: self._completions.ask((job.id, job.fence)))
                outcome = "completed"
            case Fenced():
                return "fenced"
            case Snooze():
                delay = timedelta(seconds=error.seconds)
                ours = await _written(partial(_statement, sql.job_engine.snooze_job, **own, delay=delay))
                outcome = "cancelled" if ours == "cancelled" else "snoozed"
            case Cancel():
                reason = storable(_sentence(error))
                ours = await _written(partial(_statement, sql.job_engine.abandon_job, **own, error=reason))
                outcome = "cancelled"
            case asyncio.CancelledError() if held.reason == "lost":
                return "fenced"
            case asyncio.CancelledError() if held.reason == "unwanted":
                ours = await _written(
                    partial(_statement, sql.job_engine.abandon_job, **own, error="An operator cancelled it.")
                )
                outcome = "cancelled"
            case asyncio.CancelledError() if held.reason == "stopping":
                ours = await _written(partial(_statement, sql.job_engine.snooze_job, **own, delay=timedelta()))
                outcome = "cancelled" if ours == "cancelled" else "released"
            case _:
                log.warning("job failed", id=str(job.id), type=job.kind, attempt=job.attempt, exc_info=error)
                fail = partial(job.fail, after_seconds=kinds.pause(job.attempt), error=_sentence(error))
                outcome = ours = await _written(partial(_statement, fail))
        return outcome if ours else "fenced"

    async def _complete(self, jobs: list[tuple[UUID, int]]) -> dict[tuple[UUID, int], bool]:
        async with pool.connection() as conn:
            rows = await sql.job_engine.complete_jobs(
                conn, job_ids=[job_id for job_id, _ in jobs], fences=[fence for _, fence in jobs]
            )
        completed = {row["id"] for row in rows}
        return {(job_id, fence): True for job_id, fence in jobs if job_id in completed}


class _Held:
    """A job that we hold, and the task that runs it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.reason: Reason | None = None
        self._task: asyncio.Task[None] | None = None

    async def handle(self) -> BaseException | None:
        """Run the handler to its end; return what it raised."""
        if self._is_ended():
            return asyncio.CancelledError()
        self._task = task = asyncio.current_task()
        assert task is not None
        try:
            await self._handled()
        except asyncio.CancelledError as error:
            if task.cancelling() and not self._is_ended():
                raise  # More than this job is being cancelled.
            return error
        except Exception as error:  # noqa: BLE001 (whatever it is, it is noted)
            return error
        finally:
            self._task = None
            if self._is_ended():
                task.uncancel()
        return None

    async def _handled(self) -> None:
        kind = kinds.KINDS.get(self.job.kind)
        if kind is None:
            raise Snooze(min(UNKNOWN_KIND_SECONDS, 0.25 * 2 ** min(self.job.fence, 10)))
        try:
            async with asyncio.timeout(kind.timeout) as limit:
                await kind.run(self.job)
        except TimeoutError:
            if limit.expired():
                raise TimeoutError(f"It took longer than {kind.timeout:g} seconds.") from None
            raise

    def end(self, reason: Reason) -> None:
        """Cancel the handler, unless it is committing the end of its job."""
        if not self._is_ended() and not self.job.ending:
            self.reason = reason
            if self._task is not None:
                self._task.cancel()

    def _is_ended(self) -> bool:
        return self.reason is not None


async def _statement(statement: Callable[..., Awaitable[Any]], **parameters: Any) -> Any:
    async with pool.connection() as conn:
        return await statement(conn, **parameters)


async def _written(write: Callable[[], Awaitable[Any]]) -> Any:
    """The result of a statement, retried a few times while PostgreSQL is unavailable."""
    for attempt in range(1, WRITE_ATTEMPTS):
        try:
            return await write()
        except pool.Unavailable:
            await asyncio.sleep(random.uniform(0.2, 0.6) * attempt)  # noqa: S311 (nothing secret)
    return await write()


def _sentence(error: BaseException) -> str:
    """What is recorded of an error: its type and first line; for Unavailable, those of its cause."""
    if isinstance(error, pool.Unavailable) and error.__cause__:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    name = type(error).__name__
    return f"{name}: {lines[0]}" if lines else name
