"""Compares the throughput of jobs with plain Dramatiq, and measures how soon one starts on an idle worker.

    python scripts/bench/job_engine.py [--quick] [--rounds N] [--jobs N] [--json FILE]

Each side is one process with eight threads, on the same Valkey and PostgreSQL (which waits for the disk for neither),
and they take turns; every figure is the median of the rounds. The handler writes one row, in a transaction. Plain
Dramatiq only sends and runs: its work exists in Redis alone, is lost with it, and may be done twice or not at all where
ours is done once.

One, two and four of our processes also do the same work: how long they take, also for jobs in a few limited groups, and
how soon one starts. Several processes may take at most half as long again as one, and 99 of 100 jobs must start within
a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dramatiq
import psycopg
import uvloop
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO
from rich.console import Console
from rich.table import Table

from ticketing import jobs
from ticketing.db import bell, embedded, migrate, pool
from ticketing.ground import metrics
from ticketing.ground.config import Settings
from ticketing.jobs import worker

THREADS = 8
TARGET = 0.7
LATENCY_TARGET_MS = 25.0
PROCESSES = (1, 2, 4)
SLOWER_AT_MOST = 1.5
LATE_MS = 1000.0
GROUPS = 4
TABLE = "create table effects (number integer not null, at timestamptz not null default clock_timestamp())"
LISTENING = "select count(*) from pg_stat_activity where query = 'listen ticketing'"
INSERT = "insert into effects (number) values (%s)"


@jobs.handler("bench.note", queue="bench", group_limit=2)
async def note(job: jobs.Job) -> None:
    """Ours."""
    async with job.finish(ring=False) as conn:
        await conn.execute(INSERT, (job.args["number"],))


async def plain_note(number: int) -> None:
    """Theirs."""
    async with pool.transaction() as conn:
        await conn.execute(INSERT, (number,))


class _Pool(dramatiq.Middleware):
    """The same connections as our worker's, on the loop of Dramatiq's AsyncIO."""

    def __init__(self, settings: Settings) -> None:
        self._connected = pool.connected(settings.database_url, settings.pool_size)

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        loop = dramatiq.asyncio.get_event_loop_thread()
        assert loop
        loop.run_coroutine(self._connected.__aenter__())


def plain_broker(settings: Settings) -> tuple[dramatiq.Broker, Any]:
    """Dramatiq, set up as its guide says."""
    broker = RedisBroker(url=settings.redis_url)  # type: ignore[no-untyped-call]
    broker.add_middleware(AsyncIO())
    broker.add_middleware(_Pool(settings))
    return broker, dramatiq.actor(actor_name="note", broker=broker)(plain_note)


def serve(side: str) -> None:
    """Be the worker of one side, until killed."""
    settings = Settings.from_environ()
    if side == "ours":
        metrics.configure_logging(settings)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(worker.work(settings, asyncio.Event(), threads=THREADS))
    broker, _ = plain_broker(settings)
    dramatiq.Worker(broker, worker_threads=THREADS).start()
    time.sleep(3600)


def fill(side: str, settings: Settings, conn: psycopg.Connection[Any], count: int) -> None:
    """Enqueue so many jobs."""
    if side == "ours":
        conn.execute(
            "select enqueue_job('bench.note', jsonb_build_object('number', n), 'bench') from generate_series(1, %s) n",
            (count,),
        )
    else:
        broker, actor = plain_broker(settings)
        for number in range(count):
            actor.send(number)
        broker.close()


def rate(side: str, settings: Settings, conn: psycopg.Connection[Any], count: int) -> float:
    """Jobs per second, from the first effect to the last."""
    conn.execute("truncate effects")
    conn.execute("delete from jobs")
    fill(side, settings, conn, count)
    with running(side, settings):
        await_(lambda: scalar(conn, "select count(*) from effects") >= count)
    seconds = scalar(conn, "select extract(epoch from max(at) - min(at))::float8 from effects")
    assert scalar(conn, "select count(distinct number) from effects") == count
    return float((count - 1) / seconds)


def drain(settings: Settings, conn: psycopg.Connection[Any], count: int, processes: int, groups: int) -> float:
    """Seconds that so many processes take for so many waiting jobs; all in groups, or none."""
    conn.execute("truncate effects")
    conn.execute("delete from jobs")
    with ExitStack() as stack:
        for _ in range(processes):
            stack.enter_context(running("ours", settings))
        await_(lambda: scalar(conn, LISTENING) == processes)
        conn.execute(
            "select enqueue_job('bench.note', jsonb_build_object('number', n), 'bench',"
            "                   group_name => 'group ' || n %% nullif(%s, 0),"
            "                   group_limit => case when %s > 0 then 2 end)"
            "  from generate_series(1, %s) n",
            (groups, groups, count),
        )
        began = scalar(conn, "select extract(epoch from clock_timestamp())::float8")
        conn.execute("notify ticketing")
        await_(lambda: scalar(conn, "select count(*) from effects") >= count)
    return float(scalar(conn, "select extract(epoch from max(at))::float8 from effects") - began)


def latency(settings: Settings, conn: psycopg.Connection[Any], count: int, processes: int = 1) -> list[float]:
    """Milliseconds from a commit until its job starts, one job at a time."""

    async def one_by_one() -> list[Any]:
        ids = []
        async with bell.ringing(settings.database_url), pool.connected(settings.database_url, 1):
            for number in range(count):
                await asyncio.sleep(random.uniform(0.03, 0.12))  # noqa: S311 (nothing secret)
                async with pool.transaction() as own:
                    job_id = await jobs.enqueue(own, "bench.note", {"number": number})
                bell.ring()
                ids.append((job_id, time.time()))
        return ids

    with ExitStack() as stack:
        for _ in range(processes):
            stack.enter_context(running("ours", settings))
        await_(lambda: scalar(conn, LISTENING) == processes)
        committed = asyncio.run(one_by_one())
        await_(lambda: scalar(conn, "select count(*) from jobs where state <> 'completed'") == 0)
    started = dict(conn.execute("select id, extract(epoch from started_at)::float8 from jobs").fetchall())
    return [(started[job_id] - at) * 1000 for job_id, at in committed[5:]]


class running:  # noqa: N801
    """The worker of one side, for the length of the block."""

    def __init__(self, side: str, settings: Settings) -> None:
        environment = {
            "TICKETING_DATABASE_URL": settings.database_url,
            "TICKETING_REDIS_URL": settings.redis_url,
            "dramatiq_restart_delay": "1000",
        }
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve", side], env=os.environ | environment, stderr=subprocess.DEVNULL
        )

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def scalar(conn: psycopg.Connection[Any], query: str) -> Any:
    row = conn.execute(query.encode()).fetchone()
    assert row
    return row[0]


def await_(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)


def main() -> int:
    """Measure, print, and fail if it is not fast enough."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", choices=("ours", "plain"), help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
    rounds, count = (1, 2000) if given.quick else (given.rounds, given.jobs)
    rates: dict[str, list[float]] = {"ours": [], "plain": []}
    with embedded.servers() as servers:
        settings = Settings(database_url=servers.database_url, redis_url=servers.redis_url)
        asyncio.run(migrate.migrate(settings.database_url))
        with psycopg.connect(settings.database_url, autocommit=True) as conn:
            conn.execute(TABLE)
            for _ in range(rounds):
                for side, found in rates.items():
                    found.append(rate(side, settings, conn, count))
            conn.execute("delete from jobs")
            waits = sorted(latency(settings, conn, 50 if given.quick else 300))
            several = [_several(settings, conn, processes, quick=given.quick) for processes in PROCESSES]
    figures = {
        "jobs_per_second": statistics.median(rates["ours"]),
        "plain_jobs_per_second": statistics.median(rates["plain"]),
        "ratio": statistics.median(a / b for a, b in zip(rates["ours"], rates["plain"], strict=True)),
        "start_p50_ms": waits[len(waits) // 2],
        "start_p99_ms": waits[int(len(waits) * 0.99)],
    }
    report(figures, rates)
    compare(several)
    if given.json:
        given.json.write_text(json.dumps(figures | {"rounds": rates, "several": several}, indent=2))
    in_step = all(
        each[what] <= SLOWER_AT_MOST * several[0][what]
        for each in several
        for what in ("drain_seconds", "lanes_seconds")
    )
    in_time = figures["start_p50_ms"] < LATENCY_TARGET_MS and all(each["start_p99_ms"] < LATE_MS for each in several)
    return 0 if figures["ratio"] >= TARGET and in_time and in_step else 1


def _several(settings: Settings, conn: psycopg.Connection[Any], processes: int, *, quick: bool) -> dict[str, float]:
    count, rounds = (500, 1) if quick else (2000, 3)
    waits = sorted(latency(settings, conn, 50 if quick else 200, processes))
    conn.execute("delete from jobs")
    return {
        "processes": processes,
        "drain_seconds": statistics.median(drain(settings, conn, count, processes, 0) for _ in range(rounds)),
        "lanes_seconds": statistics.median(drain(settings, conn, count // 2, processes, GROUPS) for _ in range(rounds)),
        "start_p50_ms": waits[len(waits) // 2],
        "start_p99_ms": waits[int(len(waits) * 0.99)],
    }


def compare(several: list[dict[str, float]]) -> None:
    """A table of one and of several processes, for people."""
    table = Table(box=None)
    for column in ("processes", f"drained (≤ {SLOWER_AT_MOST} ×)", f"in {GROUPS} groups", "start p50", "start p99"):
        table.add_column(column, justify="right")
    for each in several:
        table.add_row(
            f"{each['processes']:.0f}",
            f"{each['drain_seconds']:.2f} s",
            f"{each['lanes_seconds']:.2f} s",
            f"{each['start_p50_ms']:.1f} ms",
            f"{each['start_p99_ms']:.1f} ms (< {LATE_MS:.0f})",
        )
    Console().print(table)


def report(figures: dict[str, float], rates: dict[str, list[float]]) -> None:
    """A table for people."""
    table = Table(box=None)
    for column in ("", "jobs/s", "of plain Dramatiq", "start p50", "start p99"):
        table.add_column(column, justify="left" if not column else "right")
    table.add_row(
        "ours",
        f"{figures['jobs_per_second']:.0f}",
        f"{figures['ratio']:.2f} (≥ {TARGET})",
        f"{figures['start_p50_ms']:.1f} ms (< {LATENCY_TARGET_MS:.0f})",
        f"{figures['start_p99_ms']:.1f} ms",
    )
    table.add_row("plain Dramatiq", f"{figures['plain_jobs_per_second']:.0f}", "1.00", "", "")
    Console().print(table)
    for side, found in rates.items():
        print(side, " ".join(f"{each:.0f}" for each in found))


if __name__ == "__main__":
    sys.exit(main())
