"""How legitimate clients fare beside attackers, and what the attackers leave behind in memory and open files.

    python scripts/bench/attackers.py [--rounds N] [--seconds S]

At the same time 300 clients send endless heads, a line a second; 300 send nothing; 8 flood it with heads of two
megabytes; and 8 poll `/metrics`. Clients whose connection is closed reconnect. The attackers have their own address and
process, and share the machine with the service and its legitimate clients. The figures are medians of the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from multiprocessing.synchronize import Event
from pathlib import Path
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos.crowd import Crowd
from chaos.stand import standing

LEGITIMATE = 4
WHENCE = "127.0.0.2"
TARGET = 3.0
FLOOD = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 320_000
METRICS = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
SETTLED_SECONDS = 3
"""How long after the attack all its connections are gone, and memory and files are measured."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def main() -> None:
    """Take turns without and with attackers, and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6, help="length of a turn")
    options = parser.parse_args()
    alone, beside, memory, files, most = [], [], [], [], 0
    with standing(apis=1, workers=0) as stand:
        process = psutil.Process(stand.apis[0].pid)
        port = urlsplit(stand.urls[0]).port or 0
        median(stand.urls[0], stand.token, 1)
        for _ in range(options.rounds):
            memory.append(process.memory_info().rss / 2**20)
            files.append(process.num_fds())
            alone.append(median(stand.urls[0], stand.token, options.seconds))
            with attacked(port):
                beside.append(median(stand.urls[0], stand.token, options.seconds))
                most = max(most, process.num_fds())
            time.sleep(SETTLED_SECONDS)
        memory.append(process.memory_info().rss / 2**20)
        files.append(process.num_fds())
    ratio = statistics.median(beside) / statistics.median(alone)
    Console(width=110).print(
        f"{LEGITIMATE} clients: p50 {statistics.median(alone) * 1e3:.2f} ms alone,"
        f" {statistics.median(beside) * 1e3:.2f} ms beside attackers: "
        f"[{'green' if ratio <= TARGET else 'red'}]{ratio:.2f} ×[/]"
        f"\nmemory, MiB, before and after each round: {', '.join(f'{each:.0f}' for each in memory)}"
        f"\nopen files: {', '.join(map(str, files))}; {most} under attack"
    )


def median(url: str, token: str, seconds: float) -> float:
    """The median seconds of answers to legitimate clients."""

    async def load() -> list[float]:
        crowd = Crowd(url, "GET /api/v1/projects", token)
        await crowd.gather(LEGITIMATE)
        try:
            return [took for status, _, took in await crowd.ask_for(seconds) if status == 200]
        finally:
            crowd.leave()

    return statistics.median(asyncio.run(load()))


# Attackers ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def attacked(port: int) -> Iterator[None]:
    """All attackers are active while the block runs."""
    spawning = multiprocessing.get_context("spawn")
    ready = spawning.Event()
    process = spawning.Process(target=attack, args=(port, ready))
    process.start()
    try:
        ready.wait(60)
        yield
    finally:
        process.kill()
        process.join()


def attack(port: int, ready: Event) -> None:
    """Run them all until killed."""

    async def run() -> None:
        attackers = [(trickle, 300), (silence, 300), (flood, 8), (poll, 8)]
        tasks = [asyncio.create_task(again(each, port)) for each, count in attackers for _ in range(count)]
        await asyncio.sleep(2)
        ready.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())


async def again(attacker: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], port: int) -> None:
    """One attacker, on one connection after another."""
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(WHENCE, 0))
            try:
                await attacker(reader, writer)
            finally:
                writer.transport.abort()


async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a head that never ends."""
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
    while not reader.at_eof():
        writer.write(b"a: b\r\n")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await reader.read(1 << 16)


async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Send nothing at all."""
    await reader.read()


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a head of two megabytes."""
    writer.write(FLOOD)
    await writer.drain()
    await reader.read(1 << 16)


async def poll(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ask for the metrics over and over."""
    while not reader.at_eof():
        writer.write(METRICS)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))


if __name__ == "__main__":
    main()
