"""A worker: one event loop with the relay, the leases and the handlers, and Dramatiq's threads around it.

Handlers, leases and the relay share the loop and one connection pool. Dramatiq's command line would run a loop in a
thread of its own and take over signals and processes, so we run its Worker from here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from datetime import timedelta
from queue import SimpleQueue
from typing import Any
from uuid import UUID

import redis
import structlog

from ticketing.db import bell, pool, sql
from ticketing.ground.config import Settings
from ticketing.jobs import figures, kinds, messages, retention, schedules
from ticketing.jobs.execution import Execution
from ticketing.jobs.link import Link
from ticketing.jobs.relay import Relay

POLL_SECONDS = 0.5
CLOCK_SECONDS = 1.0
BEAT_SECONDS = 1.0
MEASURE_SECONDS = 5.0
RETENTION_SECONDS = 60.0

log = structlog.get_logger()


async def work(
    settings: Settings,
    stopping: asyncio.Event,
    *,
    threads: int,
    queues: Iterable[str] = (),
    beat: Callable[[], None] = lambda: None,
) -> None:
    """Run jobs, of some queues or of all, until told to stop; then let running jobs finish for a while.

    It calls `beat` once a second while it works. Jobs still running after `job_stop_seconds` are cancelled: they are
    available again at once, and this attempt does not count.
    """
    async with (
        pool.connected(settings.database_url, settings.pool_size),
        bell.ringing(settings.database_url),
        bell.Bell(settings.database_url) as heard,
    ):
        if known := await identity(stopping, beat):
            await Worker(settings, heard, known, threads, list(queues) or kinds.queues(), beat).run(stopping)


async def identity(stopping: asyncio.Event, beat: Callable[[], None] = lambda: None) -> str | None:
    """The identity of the database, as soon as it answers; None if told to stop before."""
    while not stopping.is_set():
        beat()
        with suppress(pool.Unavailable):
            async with pool.connection() as conn:
                return await sql.job_engine.get_database_identity(conn)
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), POLL_SECONDS)
    return None


class Worker:
    """The parts of a worker, and when each runs."""

    def __init__(
        self,
        settings: Settings,
        heard: bell.Bell,
        identity: str,
        threads: int,
        queues: list[str],
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._beat = beat
        self._bell = heard
        self._threads = dict.fromkeys(queues, threads)
        self._all_queues = set(kinds.queues()) <= set(queues)
        self._lease = timedelta(seconds=settings.job_lease_seconds)
        self._execution = Execution(self._lease, self._look_again)
        self._loop = asyncio.get_running_loop()
        self._client = messages.consumer_client(settings.redis_url)
        namespace = messages.namespace(identity)
        self._link = Link(messages.relay_client(settings.redis_url), namespace)
        self._runners = {
            queue: messages.Runner(self._client, namespace, queue, threads, self._runs(queue), self._lease)
            for queue in queues
        }
        self._relay = Relay(
            self._link,
            queues,
            resend=timedelta(seconds=settings.job_resend_seconds),
            window=settings.job_window,
            wake=lambda queue: self._runners[queue].wake(),
        )
        self._direct: set[asyncio.Task[None]] = set()
        self._dispatching: asyncio.Task[None] | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until told to stop."""
        figures.begin(kinds.KINDS)
        keeping = asyncio.create_task(self._every(self._lease.total_seconds() / 3, "leases", self._execution.keep))
        self._dispatching = asyncio.create_task(self._at_the_bell("dispatch", self._dispatch))
        looking = [self._dispatching, *(asyncio.create_task(each) for each in self._looks())]
        for runner in self._runners.values():
            runner.start()
        log.info("working", queues=list(self._threads), threads=sum(self._threads.values()))
        try:
            await stopping.wait()
        finally:
            await _ended(looking)
            await self._stop()
            await _ended([keeping])
            await self._link.client.aclose()
            self._client.close()

    def _looks(self) -> Iterable[Coroutine[Any, Any, None]]:
        """Everything else that runs periodically."""
        settings = self._settings
        yield self._beats()
        yield self._at_the_bell("direct", self._take)
        for name, look in kinds.LOOPS.items():
            yield self._at_the_bell(name, look)
        yield self._every(POLL_SECONDS, "ping", self._link.ping)
        yield self._every(CLOCK_SECONDS, "rescue", self._relay.rescue)
        yield self._every(CLOCK_SECONDS, "schedules", self._schedules())
        yield self._every(MEASURE_SECONDS, "measure", self._relay.measure)
        yield self._every(
            RETENTION_SECONDS,
            "retention",
            lambda: retention.delete(
                completed_for=timedelta(hours=settings.job_completed_hours),
                failed_for=timedelta(days=settings.job_failed_days),
            ),
        )

    async def _beats(self) -> None:
        while True:
            self._beat()
            await asyncio.sleep(BEAT_SECONDS)

    async def _dispatch(self) -> bool:
        """Run to the end even when told to stop: jobs that are marked as announced must be announced."""
        return await _to_the_end(self._relay.dispatch())

    def _look_again(self) -> None:
        """A lane has room: wake this process's relay at once, and other processes' if it may not announce the next job.

        Any process may run what it announces, so the others need not look. If this process dies before it looks, they
        find the job within `POLL_SECONDS`.
        """
        if self._dispatching is not None:
            self._bell.wake(self._dispatching)
        if self._link.away or not self._all_queues:
            bell.ring()

    def _schedules(self) -> Callable[[], Awaitable[bool]]:
        registered = False

        async def run() -> bool:
            nonlocal registered
            if not registered:
                await schedules.register()
                registered = True
            return await schedules.run()

        return run

    def _runs(self, queue: str) -> Callable[[UUID], None]:
        """What a Dramatiq thread runs: wait until the loop has run the job."""

        def run(job_id: UUID) -> None:
            # Like run_coroutine_threadsafe, without its two futures per job.
            ended: SimpleQueue[BaseException | None] = SimpleQueue()
            self._loop.call_soon_threadsafe(self._execution.start, job_id, queue, ended.put)
            if (error := ended.get()) is not None:
                raise error

        return run

    async def _take(self) -> bool:
        """Without Redis: claim and start due jobs; to the end, as what is claimed must be run or given back."""
        return self._link.away and await _to_the_end(self._start_due())

    async def _start_due(self) -> bool:
        claimed = await self._execution.take(self._threads)
        for job in claimed:
            task = asyncio.ensure_future(job)
            self._direct.add(task)
            task.add_done_callback(self._direct.discard)
        return bool(claimed)

    async def _stop(self) -> None:
        """Stop fetching, let running jobs finish in time, and give the rest back."""
        patience = self._settings.job_stop_seconds
        giving_up = self._loop.call_later(patience, self._execution.stop)
        ends: list[Awaitable[Any]] = [asyncio.to_thread(runner.stop, patience + 5) for runner in self._runners.values()]
        await asyncio.gather(*ends, *self._direct, return_exceptions=True)
        giving_up.cancel()

    async def _at_the_bell(self, name: str, look: Callable[[], Awaitable[bool]]) -> None:
        while True:
            if not await self._tried(name, look):
                await self._bell.wait(POLL_SECONDS)

    async def _every(self, seconds: float, name: str, look: Callable[[], Awaitable[bool | None]]) -> None:
        while True:
            if not await self._tried(name, look):
                await asyncio.sleep(seconds)

    async def _tried(self, name: str, look: Callable[[], Awaitable[bool | None]]) -> bool:
        """Whether there is more to do at once. After any error, it is tried again later."""
        try:
            return bool(await look())
        except (pool.Unavailable, redis.RedisError, OSError, TimeoutError) as error:
            log.debug("not now", look=name, error=str(error))  # outages.py logs outages.
        except Exception:
            log.exception("failed", look=name)
        await asyncio.sleep(POLL_SECONDS)
        return False


async def _to_the_end(look: Coroutine[Any, Any, bool]) -> bool:
    """Its result. If this task is cancelled, it is so only once the look has ended."""
    looking = asyncio.ensure_future(look)
    try:
        return await asyncio.shield(looking)
    finally:
        while not looking.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({looking})


async def _ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        # Some libraries mistake a cancellation for a time-out of their own.
        pending = (await asyncio.wait(pending, timeout=1))[1]
