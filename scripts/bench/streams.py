"""The cost of open event streams: memory, processor and connections while idle, and the latency of events.

Usage: python scripts/bench/streams.py [--streams N] [--events N] [--idle SECONDS]

One production-like process of the service runs on its own PostgreSQL; this process runs all the clients. The latency of
an event is the time from its author's answer until a stream has it. All streams get every event, so one event is as
many messages as there are streams.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]
import psycopg
import uuid_utils.compat as uuids
import uvloop

from ticketing.access import bearer
from ticketing.db import embedded, migrate
from ticketing.processes import serve

PEOPLE = 50
AT_ONCE = 50
SOME_SECONDS = 60
STATISTICS_SECONDS = 11
"""How late PostgreSQL counts the transactions of an idle connection."""


class Stream(asyncio.Protocol):
    """A client that records when it receives an event, and parses nothing else."""

    def __init__(self, token: str, told: list[float]) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._token = token
        self._told = told

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        head = f"GET /api/v1/events/stream HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self._token}\r\n\r\n"
        transport.write(head.encode())

    def data_received(self, data: bytes) -> None:
        if b"\nevent: " in data:
            self._told.append(time.perf_counter())
        if not self.opened.done() and b"retry: " in data:
            self.opened.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionError("The server closed the connection."))


@dataclass(frozen=True)
class Service:
    """The running service, with a token of each of its agents."""

    process: psutil.Process
    port: int
    database_url: str
    tokens: list[str]

    def megabytes(self) -> float:
        return float(self.process.memory_info().rss / 2**20)

    def cpu_seconds(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def connections(self) -> int:
        with psycopg.connect(self.database_url) as conn:
            row = conn.execute("select count(*) from pg_stat_activity where application_name = 'ticketing'").fetchone()
        assert row
        return int(row[0])

    def transactions(self) -> int:
        with psycopg.connect(self.database_url) as conn:
            row = conn.execute("select xact_commit from pg_stat_database where datname = current_database()").fetchone()
        assert row
        return int(row[0])


@contextmanager
def service(streams: int) -> Iterator[Service]:
    """Run the service, with a project and people."""
    with embedded.postgres() as database_url, serve.listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
        free.close()
        asyncio.run(migrate.migrate(database_url))
        tokens = [bearer.new_token() for _ in range(PEOPLE)]
        with psycopg.connect(database_url) as conn:
            conn.execute("insert into projects (key, name, ticket_types) values ('bench', 'Bench', '{support}')")
            for token in tokens:
                user = uuids.uuid7()
                conn.execute("insert into users (id, name, role) values (%s, 'Agent', 'agent')", (user,))
                conn.execute(
                    "insert into tokens (id, user_id, name, hash, prefix, scopes)"
                    " values (%s, %s, 'bench', %s, 'tkt_bench', '{tickets:read,tickets:write}')",
                    (uuids.uuid7(), user, bearer.hash_token(token)),
                )
        environment = os.environ | {
            "TICKETING_DATABASE_URL": database_url,
            "TICKETING_LOG_LEVEL": "warning",
            "TICKETING_STREAMS": str(streams),
            "TICKETING_STREAMS_PER_USER": str(streams),
        }
        command = [sys.executable, "-m", "ticketing", "serve", "--port", str(port)]
        with subprocess.Popen(command, env=environment) as process:
            try:
                _await_answer(f"http://127.0.0.1:{port}/health/ready")
                yield Service(psutil.Process(process.pid), port, database_url, tokens)
            finally:
                process.send_signal(signal.SIGTERM)


def _await_answer(url: str) -> None:
    deadline = time.monotonic() + SOME_SECONDS
    while True:
        try:
            httpx.get(url).raise_for_status()
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


async def measure(running: Service, streams: int, events: int, idle: float) -> None:
    """Open all streams, measure what they cost, and make events."""
    loop = asyncio.get_running_loop()
    told: list[float] = []
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{running.port}/api/v1", headers={"Authorization": f"Bearer {running.tokens[0]}"}
    ) as author:
        number = await _new_ticket(author)
        await _say_something(author, number)
        before, began = running.megabytes(), time.perf_counter()
        opened = []
        for index in range(streams):
            _, stream = await loop.create_connection(
                lambda token=running.tokens[index % PEOPLE]: Stream(token, told),  # type: ignore[misc]
                "127.0.0.1",
                running.port,
            )
            opened.append(stream)
            if len(opened) % AT_ONCE == 0:  # More at once than are admitted would be refused, and told to come back.
                await asyncio.gather(*(stream.opened for stream in opened[-AT_ONCE:]))
        await asyncio.gather(*(stream.opened for stream in opened))
        print(f"{streams} streams opened in {time.perf_counter() - began:.2f} s")
        grown = running.megabytes() - before
        print(f"memory: {before:.1f} MiB before, {grown * 1024 / streams:.1f} KiB a stream")
        print(f"connections to PostgreSQL: {running.connections()}, the pool's and the bell's two")

        await asyncio.sleep(STATISTICS_SECONDS)
        cpu, done, since = running.cpu_seconds(), running.transactions(), time.perf_counter()
        await asyncio.sleep(idle)
        passed = time.perf_counter() - since
        print(
            f"idle: {(running.cpu_seconds() - cpu) / passed:.1%} of a processor,"
            f" {(running.transactions() - done) / passed:.1f} transactions a second"
        )

        latencies: list[float] = []
        cpu = running.cpu_seconds()
        for _ in range(events):
            told.clear()
            await _say_something(author, number)
            answered = time.perf_counter()
            while len(told) < streams:
                if time.perf_counter() - answered > SOME_SECONDS:
                    raise SystemExit(f"Only {len(told)} of {streams} streams were told.")
                await asyncio.sleep(0.001)
            latencies += [max(at - answered, 0) * 1000 for at in told]
        cuts = statistics.quantiles(latencies, n=100)
        print(f"{events} events to {streams} streams: p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms")
        cost = (running.cpu_seconds() - cpu) / events
        print(f"processor: {cost * 1000:.1f} ms an event, {cost / streams * 1e6:.1f} µs a message")
        print(f"the last stream has one after {max(latencies):.1f} ms at most")
        print(f"memory at the end: {running.megabytes():.1f} MiB")


async def _new_ticket(author: httpx.AsyncClient) -> int:
    body = {"type": "support", "project": "bench", "title": "How", "description": "?"}
    response = await author.post("/tickets", json=body)
    response.raise_for_status()
    return int(response.json()["number"])


async def _say_something(author: httpx.AsyncClient, number: int) -> None:
    (await author.post(f"/tickets/{number}/comments", json={"body": "So. " * 50})).raise_for_status()


def main() -> None:
    parser = argparse.ArgumentParser(description=re.split(r"\n\n", __doc__ or "")[0])
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--events", type=int, default=50)
    parser.add_argument("--idle", type=float, default=10)
    given = parser.parse_args()
    with service(given.streams) as running, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(running, given.streams, given.events, given.idle))


if __name__ == "__main__":
    main()
