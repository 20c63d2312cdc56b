"""A worker for tests: the engine's execution and the fan-out on one event loop, without Redis, for as long as wanted.

In a process of its own, to be killed: python tests/working.py
"""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from ticketing.db import pool, sql
from ticketing.ground.config import settings
from ticketing.jobs.execution import Execution
from ticketing.mail import sending
from ticketing.reactions import notifications
from ticketing.reactions.webhooks import delivering, messages, redelivering, upkeep
from ticketing.reactions.webhooks.fan_out import fan_out
from ticketing.search import documents

THREADS = {"webhooks": 16, "mail": 8, "default": 2}
KINDS = (sending.send_mail, delivering.deliver, messages.forget, redelivering.redeliver, upkeep.upkeep)
"""Imported, so that the engine knows them."""
SETTLED = "select true where not exists (select from events where transaction_id >= log_end())"
"""Whatever else the service does just now may hold the log back."""


def work(until: Callable[[], bool], seconds: float = 60) -> None:
    """Do what there is to do in this process until it holds. Ask the service nothing meanwhile: it shares the pool."""
    asyncio.run(_work(until, seconds))


def do(handler: Callable[[Any], Awaitable[None]]) -> None:
    """Do the job of a schedule, in this process."""

    async def within() -> None:
        async with pool.connected(settings().database_url, 1):
            await handler(None)

    asyncio.run(within())


def read_the_log() -> None:
    """Make deliveries of all events so far."""
    asyncio.run(_read_the_log())


async def _read_the_log() -> None:
    async with pool.connected(settings().database_url, 2), asyncio.timeout(60):
        async with pool.connection() as conn:
            while not await (await conn.execute(SETTLED)).fetchone():
                await asyncio.sleep(0.02)
        while await fan_out():
            pass


def index() -> None:
    """Write the documents of all that was written so far."""
    asyncio.run(_index())


async def _index() -> None:
    async with pool.connected(settings().database_url, 2), asyncio.timeout(60):
        async with pool.connection() as conn:
            while not await (await conn.execute(SETTLED)).fetchone():
                await asyncio.sleep(0.02)
        while await documents.follow():
            pass


def notify() -> None:
    """Tell people of all events so far."""
    asyncio.run(_notify())


async def _notify() -> None:
    async with pool.connected(settings().database_url, 2), asyncio.timeout(20):
        async with pool.connection() as conn:
            while not await (await conn.execute(SETTLED)).fetchone():
                await asyncio.sleep(0.02)
        while await notifications.notify():
            pass


async def _work(until: Callable[[], bool], seconds: float) -> None:
    execution = Execution(timedelta(seconds=15))
    running: set[asyncio.Task[None]] = set()
    async with pool.connected(settings().database_url, 8), asyncio.timeout(seconds):
        while not until():
            # What other tests have left to do may need all connections for a while.
            with suppress(pool.Unavailable):
                await fan_out()
                for job in await execution.take(THREADS):
                    running.add(task := asyncio.ensure_future(job))
                    task.add_done_callback(running.discard)
            await asyncio.sleep(0.005)
        await asyncio.gather(*running)


class Worker(subprocess.Popen[bytes]):
    """A worker in a process of its own. Once it is killed, nothing that it has asked PostgreSQL for is still done."""

    def __init__(self) -> None:
        self._database = settings().database_url
        self._name = f"worker {secrets.token_hex(4)}"
        url = make_conninfo(self._database, application_name=self._name)
        given = {"TICKETING_DATABASE_URL": url, "TICKETING_LOG_LEVEL": "warning"}
        super().__init__([sys.executable, __file__, "60"], env=os.environ | given)

    def kill(self) -> None:
        super().kill()
        with psycopg.connect(self._database, autocommit=True) as conn:
            while conn.execute("select from pg_stat_activity where application_name = %s", (self._name,)).fetchone():
                time.sleep(0.01)


@contextmanager
def spawned(count: int = 1) -> Iterator[list[Worker]]:
    """Workers in processes of their own, with the settings of now."""
    with ExitStack() as stack:
        workers = []
        for _ in range(count):
            workers.append(worker := stack.enter_context(Worker()))
            stack.callback(worker.kill)
        yield workers


async def rescue() -> list[int]:
    """Take back the jobs of workers that went silent; gives the attempts that they have had."""
    async with pool.connected(settings().database_url, 1), pool.connection() as conn:
        return [row["attempt"] or 0 for row in await sql.job_engine.rescue_jobs(conn)]


if __name__ == "__main__":
    work(lambda: False, float(sys.argv[1]))
