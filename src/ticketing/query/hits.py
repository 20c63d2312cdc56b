"""The tickets in whose documents a query finds what it looks for: the newest first, or the best of these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from ticketing.access.actors import Actor
from ticketing.db import sql
from ticketing.query import compiling, fulltext
from ticketing.query.compiling import Reader
from ticketing.query.tree import Query

FEW = 2000
"""Of so many tickets each document is looked at, without the index."""
SCAN = 10_000
"""Documents that the index gives for one page, at most."""
COUNTED = 5000
"""Documents that it gives for a count, at most."""
SORTED = 2001
"""Fewer hits than this are sorted by whatever one likes."""
RANKED = 200
"""So many of the newest hits are ranked, and then as many of those that are older."""
PINNED = 1000
"""Most hits between the ends of those that were ranked before."""
NAMED = 1e6
"""The rank of a ticket that the query names by number."""

Place = tuple[datetime, int]
"""When a ticket was opened, and its number."""


class Asked(NamedTuple):
    """Who looks for what: a query, and the title that the list is filtered by as well."""

    actor: Actor
    query: Query
    reader: Reader
    title: compiling.Title | None = None


class Hits(NamedTuple):
    """Hits, and the last ticket that was looked at, if there may be more beyond it."""

    rows: Sequence[sql.Hit]
    stop: Place | None


class Part(NamedTuple):
    """The tickets of a page, in order."""

    numbers: list[int]
    after: Callable[[int], list[Any]]
    """The place at which the next page begins if this one ends with that ticket."""
    rest: list[Any] | None
    """That after all of them; none if there is nothing more."""


async def find(
    conn: sql.Connection,
    asked: Asked,
    *,
    most: int,
    sort: str = "-created",
    after: Place | None = None,
    until: Place | None = None,
    ranked: bool = False,
    scan: int | None = None,
) -> Hits:
    """So many hits in the order in which they were opened, those that are named by number among them.

    They come after a place, and down to another one; with their ranks, those that are named come in addition.
    """
    since, before = compiling.opened(asked.query, asked.reader)
    ascending = sort == "created"
    if after is not None and ascending:
        since = max(since or after[0], after[0])
    elif after is not None:
        before = min(before or after[0], after[0])
    if until is not None:
        since = max(since or until[0], until[0])
    rows = await sql.query.list_hits(
        conn,
        **asked.actor.viewer(),
        **compiling.parts(asked.query, asked.reader, sort, after, until, title=asked.title, ranked=ranked),
        **compiling.places(sort),
        ascending=ascending,
        since=since,
        until=before,
        after=after[0] if after else None,
        after_number=after[1] if after else None,
        few=FEW,
        scan=scan or SCAN,
        most=most,
    )
    stop = next((_place(row) for row in rows if not row["hit"]), None)
    hits = sorted((row for row in rows if row["hit"]), key=_place, reverse=not ascending)
    named = fulltext.numbers(asked.query) if ranked else []
    if stop:
        hits = [
            row for row in hits if row["number"] in named or (_place(row) <= stop if ascending else _place(row) >= stop)
        ]
    return Hits(hits if ranked else hits[:most], stop)


def _place(row: sql.Hit) -> Place:
    return cast("Place", (row["created_at"], row["number"]))


async def by_time(conn: sql.Connection, asked: Asked, *, sort: str, limit: int, after: Place | None) -> Part:
    """A page in the order in which tickets were opened."""
    hits = await find(conn, asked, most=limit + 1, sort=sort, after=after)
    places = {place[1]: [*place] for place in map(_place, hits.rows[:limit])}
    rest = [*places.values()][-1] if len(hits.rows) > limit else [*hits.stop] if hits.stop else None
    return Part([*places], places.__getitem__, rest)


class Window(NamedTuple):
    """Some hits that are ranked, and how far pages of them have come: what a cursor holds."""

    since: Place | None
    """They are older than this place; None for the newest."""
    until: Place | None
    """The oldest of them; None if there is nothing beyond."""
    first: bool
    """Whether these are the newest, before which tickets come that the query names by number."""
    rank: float | None
    number: int
    """The last that was shown; a rank of None if none was."""

    def place(self) -> list[Any]:
        """As a cursor has it."""
        return [*(self.since or (None, None)), *(self.until or (None, None)), self.first, self.rank, self.number]


FIRST = Window(None, None, True, None, 0)


def window(place: Sequence[Any]) -> Window:
    """That of a cursor."""
    newest_at, newest, oldest_at, oldest, first, rank, number = place
    return Window(
        (newest_at, newest) if newest_at and newest is not None else None,
        (oldest_at, oldest) if oldest_at and oldest is not None else None,
        first,
        rank,
        number,
    )


async def by_rank(conn: sql.Connection, asked: Asked, *, limit: int, begun: Window) -> Part:
    """A page of the newest hits, the best first; when these are all shown, of those that are older.

    The ends of a window stay, so what is found between two pages, or no longer is, moves nothing into another one.
    """
    most = PINNED if begun.until else RANKED
    hits = await find(conn, asked, most=most, after=begun.since, until=begun.until, ranked=True)
    named = fulltext.numbers(asked.query)
    rows = [row for row in hits.rows if row["number"] not in named]
    until = begun.until or (_place(rows[-1]) if len(rows) >= RANKED else hits.stop)
    since = begun.since
    if since is None and rows:
        at, number = _place(rows[0])
        since = (at, number + 1)
    ranks = {_place(row)[1]: row["rank"] or 0.0 for row in rows}
    if begun.first:
        ranks |= {number: NAMED for row in hits.rows if (number := _place(row)[1]) in named}
    order = sorted(ranks, key=lambda number: (ranks[number], number), reverse=True)
    if begun.rank is not None:
        order = [number for number in order if (ranks[number], number) < (begun.rank, begun.number)]

    def after(number: int) -> list[Any]:
        return Window(since, until, begun.first, ranks[number], number).place()

    rest = None
    if len(order) > limit:
        rest = after(order[limit - 1])
    elif until:
        rest = Window(until, None, False, None, 0).place()
    return Part(order[:limit], after, rest)


async def all_of(conn: sql.Connection, asked: Asked) -> list[int] | None:
    """The numbers of all hits; None if there are too many to sort them."""
    hits = await find(conn, asked, most=SORTED)
    return None if hits.stop or len(hits.rows) >= SORTED else [_place(row)[1] for row in hits.rows]


async def count(conn: sql.Connection, asked: Asked, most: int) -> tuple[int, bool]:
    """How many hits there are, up to so many, and whether there may be more."""
    hits = await find(conn, asked, most=most + 1, scan=COUNTED)
    return min(len(hits.rows), most), len(hits.rows) > most or hits.stop is not None
