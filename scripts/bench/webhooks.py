"""Webhook deliveries per second of a worker, and the latency of the others when one receiver of twenty is dead.

Usage: python scripts/bench/webhooks.py [--events N] [--endpoints N] [--threads N] [--only-processes]

Everything runs here: PostgreSQL, Valkey, one worker, and receivers in a process of their own. SQL writes the events to
the log, so that only the path from the log to the receivers is measured.

One, two and four processes also do the same work: how long a backlog for one receiver takes, and the latency of single
events. Several may take at most half as long again as one, and no message may be a second late. Exits with 1 if not.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import uuid_utils.compat as uuids
from psycopg.rows import dict_row

from ticketing import sealing
from ticketing.db import embedded, migrate
from ticketing.ground.config import settings
from ticketing.reactions.webhooks import endpoints, signing

Database = psycopg.Connection[dict[str, Any]]
DEAD = "/dead"
PATIENCE_SECONDS = 120.0
LOAD = 0.4
"""The fraction of a worker's capacity that is used while one receiver is dead."""
SECONDS = 20.0
"""Seconds of that load; longer than a worker waits for an answer."""

PROCESSES = (1, 2, 4)
BACKLOG = 200
ROUNDS = 3
SINGLES = 50
SLOWER_AT_MOST = 1.5
LATE_SECONDS = 1.0

LISTENING = (
    "select count(*) as n from pg_stat_activity where datname = current_database() and query = 'listen ticketing'"
)
"""Counts the processes of a worker."""
LATENESS = (
    "select extract(epoch from d.settled_at - e.occurred_at)::float8 as seconds"
    "  from deliveries d join events e on e.id = d.event_id where d.status = 'delivered'"
)
RECEIVER = f"""
import asyncio, sys

async def serve(reader, writer):
    head = await reader.readuntil(b"\\r\\n\\r\\n")
    length = next(int(line[15:]) for line in head.split(b"\\r\\n") if line.lower().startswith(b"content-length:"))
    await reader.readexactly(length)
    if head.startswith(b"POST {DEAD}"):
        await asyncio.sleep(60)
    writer.write(b"HTTP/1.1 204 No Content\\r\\nConnection: close\\r\\n\\r\\n")
    await writer.drain()
    writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


def main() -> int:
    """Run both measurements, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--endpoints", type=int, default=20)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--only-processes", action="store_true", help="only the last part")
    chosen = parser.parse_args()
    with embedded.servers() as servers:
        os.environ |= {
            "TICKETING_DATABASE_URL": servers.database_url,
            "TICKETING_REDIS_URL": servers.redis_url,
            "TICKETING_SECRET_KEYS": sealing.new_key(),
            "TICKETING_WEBHOOK_ALLOW": "127.0.0.1",
            "TICKETING_LOG_LEVEL": "warning",
        }
        settings.cache_clear()
        asyncio.run(migrate.migrate(servers.database_url))
        with (
            psycopg.connect(servers.database_url, autocommit=True, row_factory=dict_row) as db,
            _receivers() as url,
        ):
            if not chosen.only_processes:
                with _worker(db, chosen.threads):
                    _throughput(db, url, 1, chosen.events)
                    rate = _throughput(db, url, chosen.endpoints, chosen.events)
                    for dead in (0, 1):
                        _isolation(db, url, chosen.endpoints, dead, LOAD * rate / chosen.endpoints)
            return _several(db, url, chosen.threads)


def _several(db: Database, url: str, threads: int) -> int:
    """The same work for one, two and four processes; return whether it is done in time."""
    drained, latest = [], []
    for processes in PROCESSES:
        with _worker(db, threads, processes):
            drained.append(statistics.median(_drain(db, url) for _ in range(ROUNDS)))
            late = _singles(db, url)
        latest.append(cut := late[int(len(late) * 0.99)])
        print(
            f"{processes} process(es): {BACKLOG} deliveries to one endpoint in {drained[-1]:.2f} s; of {SINGLES} single"
            f" ones p50 {late[len(late) // 2] * 1000:.0f} ms, p99 {cut * 1000:.0f} ms."
        )
    return int(max(drained) > SLOWER_AT_MOST * drained[0] or max(latest) > LATE_SECONDS)


def _drain(db: Database, url: str) -> float:
    _endpoints(db, [url])
    started = time.perf_counter()
    for _ in range(BACKLOG):
        _events(db, 1)
    _await(db, "select count(*) as n from deliveries where status = 'delivered'", BACKLOG)
    return time.perf_counter() - started


def _singles(db: Database, url: str) -> Sequence[float]:
    """Seconds from an event to its receiver's answer, one at a time, sorted."""
    _endpoints(db, [url])
    for number in range(1, SINGLES + 1):
        _events(db, 1)
        _await(db, "select count(*) as n from deliveries where status = 'delivered'", number)
    rows = db.execute(LATENESS).fetchall()
    return sorted(row["seconds"] for row in rows)


def _throughput(db: Database, url: str, count: int, events: int) -> float:
    _endpoints(db, [url] * count)
    total = events // count * count
    started = time.perf_counter()
    _events(db, events // count)
    _await(db, "select count(*) as n from deliveries where status = 'delivered'", total)
    seconds = time.perf_counter() - started
    print(f"{total} deliveries to {count} endpoint(s): {total / seconds:.0f} a second.")
    return total / seconds


def _isolation(db: Database, url: str, count: int, dead: int, rate: float) -> None:
    """Events at a steady rate; measures the time from each event to the answer of each live receiver."""
    _endpoints(db, [*[url + DEAD] * dead, *[url] * (count - dead)])
    rounds = int(SECONDS * rate)
    for _ in range(rounds):
        _events(db, 1)
        time.sleep(1 / rate)
    alive = rounds * (count - dead)
    _await(db, "select count(*) as n from deliveries where status = 'delivered'", alive)
    rows = db.execute(LATENESS).fetchall()
    late = [row["seconds"] * 1000 for row in rows]
    cuts = statistics.quantiles(late, n=100)
    print(
        f"{alive} deliveries to {count - dead} endpoints at {rate * count:.0f} a second, {dead} of {count} dead:"
        f" p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms, latest {max(late):.0f} ms."
    )


def _endpoints(db: Database, urls: list[str]) -> None:
    db.execute("delete from jobs where kind = 'webhooks.deliver' and state = 'available'")
    db.execute("delete from webhook_endpoints")
    db.execute("delete from deliveries")
    for url in urls:
        endpoint_id = uuids.uuid7()
        sealed = endpoints.sealed(signing.new_secret(), endpoint_id)
        db.execute("insert into webhook_endpoints (id, url) values (%s, %s)", (endpoint_id, url))
        db.execute(
            "insert into webhook_secrets (id, endpoint_id, key_id, sealed) values (%s, %s, %s, %s)",
            (uuids.uuid7(), endpoint_id, sealed["key_id"], sealed["sealed"]),
        )


def _events(db: Database, count: int) -> None:
    db.execute(
        "insert into events (id, type, ticket, project, data)"
        " select gen_random_uuid(), 'ticket.created', n, 'media-server',"
        "        jsonb_build_object('number', n, 'title', 'Playback stops', 'description', repeat('x', 500))"
        "   from generate_series(1, %s) n",
        (count,),
    )
    db.execute("notify ticketing")


def _await(db: Database, query: str, wanted: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (row := db.execute(query).fetchone()) is None or row["n"] < wanted:
        if time.monotonic() > deadline:
            raise SystemExit(f"After {PATIENCE_SECONDS:.0f} seconds there are {row and row['n']} of {wanted}.")
        time.sleep(0.02)


@contextmanager
def _receivers() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-c", RECEIVER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


@contextmanager
def _worker(db: Database, threads: int, processes: int = 1) -> Iterator[None]:
    options = ["--threads", str(threads), "--processes", str(processes)]
    command = [sys.executable, "-m", "ticketing", "work", *options]
    with subprocess.Popen(command) as process:
        try:
            _await(db, LISTENING, processes)
            yield
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())
