"""How well, and how fast, tickets like a draft are found: drafts that say with other words what a ticket says.

    make bench-similar                                   among 100,000 tickets; takes minutes
    make bench-similar ARGS='--tickets 10000'            a smaller database
    make bench-similar ARGS='--url postgresql://me@db/x' a database that `make corpus` has filled

PostgreSQL runs here, unless a database is given. First a worker's loop writes what documents are missing, which tells
documents a second. Then come drafts, each made of a ticket: of its title seven of ten words, two of its description,
others that have nothing to do with it; with a description or without. `recall` is how often that ticket is among the
five that are found, `first` how often it is the first of them, and `noise` are drafts made of words of several tickets.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import statistics
import time
from typing import Any

from lists import database
from ticketing.access.actors import Actor
from ticketing.db import pool
from ticketing.search import documents, similar

COMMON = "select word from words where word ~ '^[a-z]{4,}$' order by documents desc limit 3000"
EVERYTHING = Actor(everywhere=True)
Draft = tuple[str, str]


def titled(ticket: Any, common: list[str], chance: random.Random) -> Draft:
    """A title alone."""
    words = ticket["title"].split()
    kept = [word for word in words if chance.random() < 0.7] or words[:1]
    story = re.findall(r"\w{4,}", ticket["description"])
    kept += chance.sample(story, min(2, len(story))) + chance.sample(common, max(1, len(words) // 5))
    chance.shuffle(kept)
    return " ".join(kept), ""


def told(ticket: Any, common: list[str], chance: random.Random) -> Draft:
    """A title with a description."""
    title, _ = titled(ticket, common, chance)
    kept = [word for word in ticket["description"].split() if chance.random() < 0.4]
    return title, " ".join(kept + chance.sample(common, 10))


def noise(_: Any, common: list[str], chance: random.Random) -> Draft:
    """What no ticket says."""
    return " ".join(chance.sample(common, 6)), ""


async def measure(url: str, drafts: int, seed: int) -> None:
    """Write documents, ask, and tell the figures."""
    chance = random.Random(seed)  # noqa: S311 (nothing secret)
    async with pool.connected(url, 2):
        await _write()
        async with pool.connection() as conn:
            newest: Any = await (await conn.execute("select max(number) from tickets")).fetchone()
            numbers = [chance.randint(1, newest[0]) for _ in range(drafts)]
            cursor = await conn.execute(
                "select number, title, description from tickets where number = any(%s) order by number", (numbers,)
            )
            tickets = [{"number": n, "title": t, "description": d} for n, t, d in await cursor.fetchall()]
            common = [word for (word,) in await (await conn.execute(COMMON)).fetchall()]
        print(f"{'':12}{'recall':>8}{'first':>8}{'answered':>10}{'p50 ms':>8}{'p95':>8}")
        for make in (titled, told, noise):
            await _ask(make.__name__, tickets, [make(ticket, common, chance) for ticket in tickets])


async def _write() -> None:
    async with pool.connection() as conn:
        before: Any = await (await conn.execute("select count(*) from ticket_documents")).fetchone()
    began = time.monotonic()
    while await documents.follow():
        pass
    seconds = time.monotonic() - began
    async with pool.connection() as conn:
        after: Any = await (await conn.execute("select count(*) from ticket_documents")).fetchone()
        await conn.execute("analyze ticket_documents, staff_documents, words")
    if written := after[0] - before[0]:
        print(f"{written:,} documents in {seconds:.0f} s, {written / seconds:,.0f} a second")


async def _ask(name: str, tickets: list[Any], drafts: list[Draft]) -> None:
    times, recalled, first, answered = [], 0, 0, 0
    for ticket, (title, description) in zip(tickets, drafts, strict=True):
        began = time.perf_counter()
        async with pool.asking() as conn:
            found = await similar.find(
                conn, EVERYTHING.viewer(), title=title, description=description, project=None, type=None, most=5
            )
        times.append((time.perf_counter() - began) * 1000)
        numbers = [each["number"] for each in found]
        recalled += ticket["number"] in numbers
        first += numbers[:1] == [ticket["number"]]
        answered += bool(numbers)
    shares = f"{recalled / len(drafts):8.2f}{first / len(drafts):8.2f}{answered / len(drafts):10.2f}"
    print(f"{name:12}{shares}{statistics.median(times):8.1f}{sorted(times)[len(times) * 95 // 100]:8.1f}", flush=True)


def main() -> None:
    """Fill, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickets", type=int, default=100_000)
    parser.add_argument("--drafts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--url", help="a database that `make corpus` has filled")
    chosen = parser.parse_args()
    with database(chosen.url, chosen.tickets) as url:
        os.environ["TICKETING_DATABASE_URL"] = url
        asyncio.run(measure(url, chosen.drafts, chosen.seed))


if __name__ == "__main__":
    main()
