"""How legitimate clients fare beside attackers, and what the attackers leave behind in memory and open files.

    python scripts/bench/attackers.py [--rounds N] [--seconds S] [--workers N] [--attack NAME]

There are two attacks. In `heads`, at the same time 300 clients send endless heads, a line a second; 300 send nothing; 8
flood the service with heads of two megabytes; and 8 poll `/metrics`. In `bodies`, one requester sends comments of a
megabyte on 90 connections: some far too long when composed, some as long and as dear to compose as is allowed. Clients
whose connection is closed reconnect. The attackers have their own address and process, and share the machine with the
service and its legitimate clients. The figures are medians of the rounds. Beside `heads`, none of which is served, the
median may be three times as long as alone. `bodies` are comments that their sender may write: the service shares its
processor fairly, and the slowest answers may take a tenth of a second.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import psutil  # type: ignore[import-untyped]
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos.crowd import Crowd
from chaos.stand import PROJECT, Stand, standing

LEGITIMATE = 4
WHENCE = "127.0.0.2"
MOST_TIMES = 3.0
MOST_SECONDS = 0.1
FLOOD = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 320_000
METRICS = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
BODIES = ["\U0001d160" * 262_000, "\u03b1\u0313\u0300\u0345" * 65_536]
SETTLED_SECONDS = 3
"""How long after the attack all its connections are gone, and memory and files are measured."""


class Prey(NamedTuple):
    """What is attacked, and by whom."""

    port: int
    token: str
    number: int


class Times(NamedTuple):
    """Seconds of answers: the median, and the 99th of a hundred."""

    median: float
    late: float


def main() -> None:
    """Take turns without and with attackers, and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6, help="length of a turn")
    parser.add_argument("--workers", type=int, default=1, help="processes of the service")
    parser.add_argument("--attack", choices=ATTACKS, action="append", help="only this one; may be repeated")
    options = parser.parse_args()
    with standing(apis=1, workers=0, serve=["--workers", str(options.workers)]) as stand:
        prey = found(stand)
        for attack in options.attack or ATTACKS:
            measure(stand, prey, attack, options.rounds, options.seconds)


def found(stand: Stand) -> Prey:
    """A requester, and a ticket of theirs."""
    with httpx.Client(base_url=f"{stand.urls[0]}/api/v1", timeout=30) as client:

        def made(path: str, token: str, **body: object) -> dict[str, object]:
            answer = client.post(path, json=body, headers={"Authorization": f"Bearer {token}"})
            answer.raise_for_status()
            resource: dict[str, object] = answer.json()
            return resource

        user = made("/users", stand.token, name="Mallory", role="requester", service_account=True)
        token = made(f"/users/{user['id']}/tokens", stand.token, name="one", scopes=["tickets:read", "tickets:write"])
        text = {"type": "bug", "project": PROJECT, "title": "x", "description": "x"}
        ticket = made("/tickets", str(token["token"]), **text)
    return Prey(urlsplit(stand.urls[0]).port or 0, str(token["token"]), int(str(ticket["number"])))


def measure(stand: Stand, prey: Prey, attack: str, rounds: int, seconds: float) -> None:
    """Print how clients fare alone and beside an attack."""
    process = psutil.Process(stand.apis[0].pid)
    alone, beside, memory, files, most = [], [], [], [], 0
    times(stand, 1)
    for _ in range(rounds):
        memory.append(megabytes(process))
        files.append(process.num_fds())
        alone.append(times(stand, seconds))
        with attacked(prey, attack):
            beside.append(times(stand, seconds))
            most = max(most, process.num_fds())
        time.sleep(SETTLED_SECONDS)
    memory.append(megabytes(process))
    files.append(process.num_fds())
    console = Console(width=110)
    for what in beside[0]:
        before, after = (
            Times(*map(statistics.median, zip(*(each[what] for each in turns), strict=True)))
            for turns in (alone, beside)
        )
        ratio = after.median / before.median
        kept = ratio <= MOST_TIMES if attack == "heads" else after.late <= MOST_SECONDS
        console.print(
            f"{attack}: {what}: p50 {before.median * 1e3:.2f} ms, p99 {before.late * 1e3:.2f} ms alone;"
            f" {after.median * 1e3:.2f} and {after.late * 1e3:.2f} ms beside attackers: "
            f"[{'green' if kept else 'red'}]{ratio:.2f} ×[/]"
        )
    console.print(
        f"memory, MiB, before and after each round: {', '.join(f'{each:.0f}' for each in memory)}"
        f"\nopen files: {', '.join(map(str, files))}; {most} under attack"
    )


def megabytes(process: psutil.Process) -> float:
    """The memory of a process and its children, in MiB."""
    return float(sum(each.memory_info().rss for each in (process, *process.children(recursive=True))) / 2**20)


def times(stand: Stand, seconds: float) -> dict[str, Times]:
    """How fast legitimate clients are answered, and how fast a probe."""

    async def load() -> dict[str, Times]:
        crowd, probe = (
            Crowd(stand.urls[0], "GET /api/v1/projects", stand.token),
            Crowd(stand.urls[0], "GET /health/live", ""),
        )
        await crowd.gather(LEGITIMATE)
        await probe.gather(1)
        try:
            answers = await asyncio.gather(crowd.ask_for(seconds), probe.ask_for(seconds))
        finally:
            crowd.leave()
            probe.leave()
        named = zip((f"{LEGITIMATE} clients", "liveness"), answers, strict=True)
        return {what: spread([took for status, _, took in each if status == 200]) for what, each in named}

    return asyncio.run(load())


def spread(seconds: list[float]) -> Times:
    """Median and 99th percentile."""
    ordered = sorted(seconds)
    return Times(statistics.median(ordered), ordered[len(ordered) * 99 // 100])


# Attackers ------------------------------------------------------------------------------------------------------------

Attacker = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Prey], Awaitable[None]]


@contextlib.contextmanager
def attacked(prey: Prey, attack: str) -> Iterator[None]:
    """All attackers are active while the block runs."""
    spawning = multiprocessing.get_context("spawn")
    ready = spawning.Event()
    process = spawning.Process(target=assault, args=(prey, attack, ready))
    process.start()
    try:
        ready.wait(60)
        yield
    finally:
        process.kill()
        process.join()


def assault(prey: Prey, attack: str, ready: Event) -> None:
    """Run them all until killed."""

    async def run() -> None:
        tasks = [asyncio.create_task(again(each, prey)) for each, count in ATTACKS[attack] for _ in range(count)]
        await asyncio.sleep(2)
        ready.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())


async def again(attacker: Attacker, prey: Prey) -> None:
    """One attacker, on one connection after another."""
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", prey.port, local_addr=(WHENCE, 0))
            try:
                await attacker(reader, writer, prey)
            finally:
                writer.transport.abort()


async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: Prey) -> None:
    """Send a head that never ends."""
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
    while not reader.at_eof():
        writer.write(b"a: b\r\n")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await reader.read(1 << 16)


async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter, __: Prey) -> None:
    """Send nothing at all."""
    await reader.read()


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: Prey) -> None:
    """Send a head of two megabytes."""
    writer.write(FLOOD)
    await writer.drain()
    await reader.read(1 << 16)


async def poll(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: Prey) -> None:
    """Ask for the metrics over and over."""
    while not reader.at_eof():
        writer.write(METRICS)
        await answer(reader)


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, prey: Prey) -> None:
    """Send long comments that are dear to compose."""
    for text in itertools.cycle(BODIES):
        body = json.dumps({"body": text}, ensure_ascii=False).encode()
        writer.write(
            f"POST /api/v1/tickets/{prey.number}/comments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {prey.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = await answer(reader)
        if b"connection: close" in head:
            return
        if b" 503 " in head:
            await asyncio.sleep(0.02)


async def answer(reader: asyncio.StreamReader) -> bytes:
    """Read an answer; return its head, in lower case."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
    return head


ATTACKS: dict[str, list[tuple[Attacker, int]]] = {
    "heads": [(trickle, 300), (silence, 300), (flood, 8), (poll, 8)],
    "bodies": [(pour, 90)],
}

if __name__ == "__main__":
    main()
