"""What lists, gets, comments and timelines cost for readers who see few, many or all of a million tickets.

    make bench-lists                                    every filter by every sort, for every reader; takes minutes
    make bench-lists ARGS='--over 20'                   … but shows only what takes longer than 20 ms at p95
    make bench-lists ARGS='--tickets 10000 --only tag'  a smaller database, and what has a name with "tag"
    make bench-lists ARGS='--url postgresql://me@db/x'  a database that `make corpus` has filled

PostgreSQL runs here, unless a database is given. Each statement is the one that the service runs, in one session. For
each reader and question: milliseconds at p50 and p95, tickets found, and how many rows (or entries of
indexes) and pages it read.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

import corpus
from ticketing.access.actors import ANONYMOUS, Actor
from ticketing.db import embedded, pool, sql
from ticketing.query import parsing
from ticketing.query.compiling import Reader
from ticketing.query.fields import SORTS
from ticketing.rules import tickets

Connection = psycopg.AsyncConnection[Any]
Question = Callable[[Connection, Actor], Awaitable[Any]]

FILTERS = (
    *("project", "type", "status", "resolution", "priority", "severity", "channel", "category", "tags"),
    *("assignee_ids", "requester_ids", "created_since", "created_before", "updated_since", "updated_before"),
    *("external_sources", "external_ids", "words", "numbered", "escalated"),
)
UNFILTERED = dict.fromkeys(FILTERS) | dict.fromkeys(("no_category", "no_assignee", "no_reference"), False)
"""What a list is given without filters."""
UNFINISHED = ["open", "in_progress", "pending"]
"""What the desk shows unless one asks for other states."""
MIDDLE = corpus.SINCE + corpus.SPAN / 2
LATE = corpus.SINCE + corpus.SPAN - timedelta(days=30)

ASKED: dict[str, dict[str, Any]] = {
    "all": {},
    # Each filter alone: a common value, a rare one, several, and none.
    "of a project": {"project": ["project-2"]},
    "of a small project": {"project": ["project-20"]},
    "of two projects": {"project": ["project-1", "project-4"]},
    "bugs": {"type": ["bug"]},
    "feature requests or support": {"type": ["feature_request", "support"]},
    "open": {"status": ["open"]},
    "pending": {"status": ["pending"]},
    "closed": {"status": ["closed"]},
    "unfinished": {"status": UNFINISHED},
    "ended": {"status": ["resolved", "closed"]},
    "open or closed": {"status": ["open", "closed"]},
    "duplicates": {"resolution": ["duplicate"]},
    "spam": {"resolution": ["spam"]},
    "urgent": {"priority": ["urgent"]},
    "high or urgent": {"priority": ["high", "urgent"]},
    "low or urgent": {"priority": ["low", "urgent"]},
    "critical": {"severity": ["critical"]},
    "high or critical": {"severity": ["high", "critical"]},
    "by e-mail": {"channel": ["email"]},
    "from GitHub": {"channel": ["github"]},
    "in a category": {"category": ["category-3"]},
    "without category": {"no_category": True},
    "with a common tag": {"tags": ["tag-1"]},
    "with a tag": {"tags": ["tag-300"]},
    "with a rare tag": {"tags": [corpus.RARE_TAG]},
    "with a tag that none has": {"tags": ["absent"]},
    "with two tags": {"tags": ["tag-1", "tag-2"]},
    "of an assignee": {"assignee_ids": [corpus.AGENT]},
    "of two assignees": {"assignee_ids": [corpus.AGENT, corpus.person(4)]},
    "without assignee": {"no_assignee": True},
    "without or with an assignee": {"assignee_ids": [corpus.AGENT], "no_assignee": True},
    "of a requester": {"requester_ids": [corpus.FEW]},
    "of a requester with many": {"requester_ids": [corpus.MANY]},
    "by reference": {"external_sources": ["zendesk:acme"], "external_ids": ["7"]},
    "not imported": {"no_reference": True},
    "by a rare word of the title": {"words": "'quasar':*"},
    "by a common word of the title": {"words": "'the':*"},
    "by two words of the title": {"words": "'player':* & 'the':*"},
    "by a word that no title has": {"words": "'zzzzzz':*"},
    "by words or a number": {"words": "'4711':*", "numbered": 4711},
    "escalated": {"escalated": True},
    "not escalated": {"escalated": False},
    "opened since": {"created_since": LATE},
    "opened before": {"created_before": MIDDLE},
    "changed since": {"updated_since": LATE},
    "changed before": {"updated_before": MIDDLE},
    # What people combine.
    "a queue": {"status": UNFINISHED, "assignee_ids": [corpus.AGENT]},
    "a queue, urgent": {"status": UNFINISHED, "assignee_ids": [corpus.AGENT], "priority": ["urgent"]},
    "unfinished, unassigned": {"status": UNFINISHED, "no_assignee": True},
    "unfinished, urgent": {"status": UNFINISHED, "priority": ["urgent"]},
    "unfinished, critical": {"status": UNFINISHED, "severity": ["critical"]},
    "unfinished, escalated": {"status": UNFINISHED, "escalated": True},
    "unfinished bugs": {"status": UNFINISHED, "type": ["bug"]},
    "unfinished of a project": {"status": UNFINISHED, "project": ["project-2"]},
    "closed of a project": {"status": ["closed"], "project": ["project-2"]},
    "pending of two projects": {"status": ["pending"], "project": ["project-1", "project-4"]},
    "unfinished in a category": {"status": UNFINISHED, "project": ["project-2"], "category": ["category-3"]},
    "of a project, without category": {"project": ["project-2"], "no_category": True},
    "unfinished with a tag": {"status": UNFINISHED, "tags": ["tag-300"]},
    "unfinished with a common tag": {"status": UNFINISHED, "tags": ["tag-1"]},
    "unfinished by a word": {"status": UNFINISHED, "words": "'player':*"},
    "unfinished of a requester": {"status": UNFINISHED, "requester_ids": [corpus.MANY]},
    "spam of a project": {"project": ["project-2"], "resolution": ["spam"]},
    "ended of an assignee": {"status": ["resolved", "closed"], "assignee_ids": [corpus.AGENT]},
}
"""Filters by what one would call the list."""


def readers() -> dict[str, Actor]:
    """Who asks."""
    agent: dict[str, Any] = {"id": corpus.AGENT, "requester_id": corpus.AGENT, "role": "agent"}
    return {
        "agent of all": Actor(**agent, everywhere=True),
        "agent of 3 projects": Actor(**agent, projects=frozenset(corpus.RESTRICTED)),
        "token of 1 project": Actor(
            id=corpus.AGENT, role="agent", projects=frozenset({"project-20"}), limits=frozenset({"project-20"})
        ),
        "requester of 5": _requester(corpus.FEW),
        "requester of many old": _requester(corpus.MANY),
        "colleague": _requester(corpus.COLLEAGUE, corpus.LARGE),
        "anonymous": ANONYMOUS,
    }


def _requester(id: UUID, *organizations: str) -> Actor:
    return Actor(id=id, requester_id=id, role="requester", organizations=frozenset(organizations))


def listed(sort: str, *, after: Any = None, page_size: int = 26, q: str = "", **filters: Any) -> Question:
    """A page of a list."""
    wanted, query = UNFILTERED | filters, parsing.parse(q)
    place = None if after is None else (after, 1)

    async def ask(conn: Connection, actor: Actor) -> Any:
        reader = Reader(actor.id, {}, datetime.now(UTC), UTC)
        return await tickets.read(conn, actor, wanted, query, reader, sort=sort, after=place, page_size=page_size)

    return ask


def lists() -> dict[str, Question]:
    """Every filter by every sort, and later pages."""
    asked = {f"{name}, {sort}": listed(sort, **filters) for name, filters in ASKED.items() for sort in SORTS}
    middle = {"created": MIDDLE, "updated": MIDDLE, "priority": "normal"}
    for name in ("all", "unfinished", "closed of a project"):
        asked |= {
            f"{name}, {sort}, from the middle": listed(sort, after=middle[sort.lstrip("-")], **ASKED[name])
            for sort in SORTS
        }
    return asked


def others(number: int) -> dict[str, Question]:
    """What is asked of one ticket that the reader sees."""
    page: dict[str, Any] = {"page_size": 26, "page_bytes": 2 << 20}
    return {
        "get": lambda conn, actor: sql.tickets.get_ticket(conn, number=number, **actor.viewer()),
        "comments": lambda conn, actor: sql.comments.list_comments(
            conn, ticket=number, **actor.viewer(), after=None, after_id=UUID(int=0), **page
        ),
        "timeline": lambda conn, actor: sql.events.list_ticket_events(
            conn, ticket=number, **actor.viewer(), after=None, **page
        ),
    }


READ = """
select coalesce(sum(pg_stat_get_xact_tuples_returned(part.oid)), 0)::int as rows,
       coalesce(sum(pg_stat_get_xact_blocks_fetched(part.oid)), 0)::int as blocks,
       coalesce(sum(pg_stat_get_xact_numscans(part.oid)) filter (where part.relkind = 'r'), 0)::int as scans
  from (select oid, relkind from pg_class where relname in ('tickets', 'comments', 'events')
        union all select indexrelid, 'i' from pg_index i join pg_class t on t.oid = i.indrelid
                   where t.relname in ('tickets', 'comments', 'events')) part
"""


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of tickets, comments and events: rows and entries of indexes, pages, and tables as a whole."""

    rows: int
    blocks: int
    scans: int

    def __sub__(self, other: Read) -> Read:
        return Read(self.rows - other.rows, self.blocks - other.blocks, self.scans - other.scans)


async def read_of(conn: Connection, ask: Question, actor: Actor) -> tuple[Any, Read]:
    """What a question finds, and what it reads for that."""
    async with conn.transaction(force_rollback=True):
        before = await _read(conn)
        found = await ask(conn, actor)
        return found, await _read(conn) - before


async def _read(conn: Connection) -> Read:
    row: Any = await (await conn.execute(READ.encode())).fetchone()
    return Read(**row)


async def measure(url: str, rounds: int, only: str, over: float) -> None:
    """Ask everything, and tell the figures."""
    options = pool.parameters(url) | {"prepare_threshold": pool.PREPARE_AFTER}
    slow = total = 0
    print(f"{'':24}{'':48}{'p50 ms':>8}{'p95':>8}{'items':>7}{'rows':>9}{'pages':>9}")
    async with await psycopg.AsyncConnection.connect(**options, row_factory=dict_row) as conn:
        for reader, actor in readers().items():
            newest: Any = await listed("-created")(conn, actor)
            for question, ask in (lists() | others(newest[0]["number"])).items():
                if only not in f"{reader}: {question}":
                    continue
                total += 1
                p50, p95, figures = await _asked(conn, actor, ask, rounds)
                slow += p95 > over
                if p95 > over:
                    print(f"{reader:24}{question:48}{p50:8.2f}{p95:8.2f}{figures}", flush=True)
    print(f"{total} questions" + (f", {slow} over {over} ms" if over else ""))


async def _asked(conn: Connection, actor: Actor, ask: Question, rounds: int) -> tuple[float, float, str]:
    try:
        times = sorted([await _timed(ask, conn, actor) for _ in range(rounds + 1)][1:])
        found, read = await read_of(conn, ask, actor)
    except psycopg.errors.QueryCanceled:
        return float("inf"), float("inf"), "  no answer in time"
    items = len(found) if isinstance(found, list) else int(found is not None)
    return statistics.median(times), times[len(times) * 95 // 100], f"{items:7}{read.rows:9,}{read.blocks:9,}"


async def _timed(ask: Question, conn: Connection, actor: Actor) -> float:
    began = time.perf_counter()
    await ask(conn, actor)
    return (time.perf_counter() - began) * 1000


@contextmanager
def database(url: str | None, tickets: int) -> Iterator[str]:
    """The one that is given, or one of its own."""
    if url:
        yield url
        return
    with embedded.postgres() as own:
        say: Any = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
        corpus.fill(own, corpus.Plan(tickets), processes=os.cpu_count() or 1, say=say)
        yield own


def main() -> None:
    """Fill, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickets", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument(
        "--only", default="", help="what the reader and the question contain, as in 'agent of all: a queue'"
    )
    parser.add_argument("--over", type=float, default=0, help="milliseconds: show what takes longer")
    parser.add_argument("--url", help="a database that `make corpus` has filled")
    chosen = parser.parse_args()
    with database(chosen.url, chosen.tickets) as url:
        asyncio.run(measure(url, chosen.rounds, chosen.only, chosen.over))


if __name__ == "__main__":
    main()
