"""Kinds of jobs to try the engine on, a place to try it at, and workers in threads and processes.

`python tests/engines/jobs/sample.py` is a worker that knows these kinds.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import redis
from psycopg.rows import dict_row

from ticketing import jobs
from ticketing.db import bell, pool, sql
from ticketing.ground import config
from ticketing.ground.config import Settings
from ticketing.jobs import Job, kinds, messages, worker

EFFECTS = """
create table effects (
    position bigint generated always as identity,
    job_id   uuid not null,
    attempt  integer not null,
    note     text not null,
    at       timestamptz not null default clock_timestamp()
)
"""
SETTINGS: dict[str, Any] = {"job_lease_seconds": 2, "job_resend_seconds": 1, "job_stop_seconds": 1, "pool_size": 6}


async def note(conn: Any, job: Job, text: str = "done") -> None:
    await conn.execute(
        "insert into effects (job_id, attempt, note) values (%s, %s, %s)", (job.id, job.attempt, text), prepare=False
    )


@jobs.handler("test.note", queue="sample", shown=("shown",))
async def noting(job: Job) -> None:
    """Leave an effect."""
    async with job.finish() as conn:
        await note(conn, job, str(job.args.get("note", "done")))


@jobs.handler("test.nothing", queue="sample")
async def nothing(_: Job) -> None:
    """Return; the engine completes the job."""


@jobs.handler("test.fail", queue="sample", max_attempts=3)
async def failing(job: Job) -> None:
    """Fail after the effect, until the attempt that shall succeed."""
    async with job.finish() as conn:
        await note(conn, job)
        if job.attempt < job.args.get("succeed_at", 99):
            raise RuntimeError(f"attempt {job.attempt} fails\nand says more")


@jobs.handler("test.retry", queue="sample", max_attempts=2)
async def retrying(job: Job) -> None:
    """Fail on its own terms, with an effect."""
    async with job.retry(0.1, "not yet") as conn:
        await note(conn, job, "retried")


@jobs.handler("test.slow", queue="sample", timeout=30)
async def slow(job: Job) -> None:
    """Say that it began, take its time, and leave an effect."""
    async with pool.connection() as conn:
        await note(conn, job, "began")
    await asyncio.sleep(job.args["seconds"])
    async with job.finish() as conn:
        await note(conn, job)


@jobs.handler("test.hasty", queue="sample", timeout=0.1, max_attempts=1)
async def hasty(_: Job) -> None:
    """Take longer than it may."""
    await asyncio.sleep(30)


@jobs.handler("test.snooze", queue="sample", max_attempts=1)
async def snoozing(job: Job) -> None:
    """Come back once before it is done."""
    async with pool.connection() as conn:
        cursor = await conn.execute("select count(*) from effects where job_id = %s", (job.id,), prepare=False)
        if await cursor.fetchone() == (0,):
            await note(conn, job, "snoozed")
            raise jobs.Snooze(0.1)
    async with job.finish() as conn:
        await note(conn, job)


@jobs.handler("test.unwanted", queue="sample")
async def unwanted(_: Job) -> None:
    raise jobs.Cancel("nobody wants it")


@jobs.handler("test.crossed", queue="sample", max_attempts=1)
async def crossed(_: Job) -> None:
    """Be cancelled by something of its own, as by a task that it waits for."""
    task = asyncio.create_task(asyncio.sleep(30))
    asyncio.get_running_loop().call_soon(task.cancel)
    await task


@jobs.handler("test.stubborn", queue="sample")
async def stubborn(job: Job) -> None:
    """Say that it began, and go on when told to end."""
    async with pool.connection() as conn:
        await note(conn, job, "began")
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(25)
    await asyncio.sleep(0.01)
    async with job.finish() as conn:
        await note(conn, job)


@jobs.handler("test.fails_when_cancelled", queue="sample")
async def failing_when_cancelled(job: Job) -> None:
    """Say that it began, and fail as soon as an operator wants it to end."""
    await _cancelled(job)
    raise RuntimeError("something else")


@jobs.handler("test.snoozes_when_cancelled", queue="sample")
async def snoozing_when_cancelled(job: Job) -> None:
    """Say that it began, and give the job back as soon as an operator wants it to end."""
    await _cancelled(job)
    raise jobs.Snooze(60)


async def _cancelled(job: Job) -> None:
    asked = "select from jobs where id = %s and cancel_requested_at is not null"
    async with pool.connection() as conn:
        await note(conn, job, "began")
        while not (await conn.execute(asked, (job.id,), prepare=False)).rowcount:
            await asyncio.sleep(0.002)


@jobs.handler("test.odd", queue="sample", max_attempts=2)
async def odd(_: Job) -> None:
    """Fail with a message that PostgreSQL does not take."""
    raise RuntimeError("NUL \0, half a letter \ud83d")


@jobs.handler("test.poison", queue="sample", max_attempts=2)
async def poison(_: Job) -> None:
    """Take the whole worker down."""
    os._exit(9)


@jobs.handler("test.group", queue="sample", group_limit=2)
async def grouped(job: Job) -> None:
    await slow(job)


@jobs.schedule("test.minutely", "* * * * *")
@jobs.handler("test.scheduled", queue="sample")
async def scheduled(job: Job) -> None:
    async with job.finish() as conn:
        await note(conn, job, job.args["slot"])


@dataclass(frozen=True, slots=True)
class Place:
    """A database and a Redis of one's own."""

    settings: Settings
    conn: psycopg.Connection[dict[str, Any]]
    redis: redis.Redis
    namespace: str
    """How the keys of this database begin in Redis."""

    def with_settings(self, **settings: Any) -> Place:
        """The same place, where other settings hold."""
        return replace(self, settings=replace(self.settings, **settings))

    def enqueue(self, kind: str, args: dict[str, Any] | None = None, **options: Any) -> UUID | None:
        """Add one job, and ring."""
        (job_id,) = self.enqueue_all([(kind, args or {}, options)])
        return job_id

    def enqueue_all(self, wanted: list[tuple[str, dict[str, Any], dict[str, Any]]]) -> list[UUID | None]:
        """Add jobs in one transaction, and ring."""

        async def enqueued() -> list[UUID | None]:
            async with (
                await psycopg.AsyncConnection.connect(**pool.parameters(self.settings.database_url)) as conn,
                conn.transaction(),
            ):
                return [await jobs.enqueue(conn, kind, args, **options) for kind, args, options in wanted]

        ids = asyncio.run(enqueued())
        self.conn.execute("notify ticketing")
        return ids

    def job(self, job_id: UUID | None) -> dict[str, Any]:
        row = self.conn.execute("select * from jobs where id = %s", (job_id,)).fetchone()
        assert row
        return row

    def effects(self, job_id: UUID | None = None) -> list[dict[str, Any]]:
        return self.conn.execute(
            "select * from effects where %s::uuid is null or job_id = %s order by position", (job_id, job_id)
        ).fetchall()

    def await_state(self, job_id: UUID | None, *states: str, seconds: float = 60) -> dict[str, Any]:
        """The job, once it is in one of these states."""
        return self.await_job(job_id, lambda job: job["state"] in states, seconds)

    def await_job(
        self, job_id: UUID | None, condition: Callable[[dict[str, Any]], bool], seconds: float = 60
    ) -> dict[str, Any]:
        """The job, once it is as it should be."""
        deadline = time.monotonic() + seconds
        while not condition(job := self.job(job_id)):
            assert time.monotonic() < deadline, job
            time.sleep(0.01)
        return job

    def await_effect(self, job_id: UUID | None, text: str = "done", seconds: float = 60) -> dict[str, Any]:
        """The effect of a job, once it is there."""
        deadline = time.monotonic() + seconds
        while not (found := [effect for effect in self.effects(job_id) if effect["note"] == text]):
            assert time.monotonic() < deadline, self.job(job_id)
            time.sleep(0.01)
        return found[0]


@contextmanager
def place(database_url: str, redis_url: str, **settings: Any) -> Iterator[Place]:
    """A migrated database and an empty Redis, made ready."""
    chosen = Settings(database_url=database_url, redis_url=redis_url, log_level="warning", **SETTINGS | settings)
    with (
        psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as conn,
        redis.Redis.from_url(redis_url) as client,
    ):
        conn.execute(EFFECTS)
        client.flushall()
        yield Place(chosen, conn, client, messages.namespace(asyncio.run(_identity(database_url))))


async def _identity(database_url: str) -> str:
    async with await psycopg.AsyncConnection.connect(database_url, row_factory=dict_row) as conn:
        identity = await sql.job_engine.get_database_identity(conn)
    assert identity
    return identity


@contextmanager
def working(place: Place, *, threads: int = 8, workers: int = 1, queues: Sequence[str] = ("sample",)) -> Iterator[None]:
    """Workers in a thread of this process, for as long as the block runs: so many of each queue."""
    ready = threading.Event()
    stops: list[Callable[[], Any]] = []

    async def work() -> None:
        settings, stopping, loop = place.settings, asyncio.Event(), asyncio.get_running_loop()
        stops.append(lambda: loop.call_soon_threadsafe(stopping.set))
        ready.set()
        async with (
            pool.connected(settings.database_url, settings.pool_size),
            bell.ringing(settings.database_url),
            bell.Bell(settings.database_url) as heard,
        ):
            identity = await worker.identity(stopping)
            assert identity
            several = [
                worker.Worker(settings, heard, identity, threads, [queue]) for queue in queues for _ in range(workers)
            ]
            await asyncio.gather(*(each.run(stopping) for each in several))

    thread = threading.Thread(target=lambda: asyncio.run(work()), daemon=True)
    thread.start()
    assert ready.wait(60)
    try:
        yield
    finally:
        stops[0]()
        thread.join(60)
        assert not thread.is_alive()


@contextmanager
def spawned(place: Place) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own."""
    given = {
        f"{config.PREFIX}{name.upper()}": str(getattr(place.settings, name))
        for name in ("database_url", "redis_url", "log_level", *SETTINGS)
    }
    with subprocess.Popen([sys.executable, __file__], env=os.environ | given) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


def main() -> None:
    """Work until told to stop."""
    kinds.SCHEDULES.clear()

    async def work() -> None:
        stopping = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
        await worker.work(Settings.from_environ(), stopping, threads=4, queues=["sample"])

    asyncio.run(work())


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()
