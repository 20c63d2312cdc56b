"""A ticket's timeline: its events, oldest first."""

from __future__ import annotations

import struct
from typing import Any

from ticketing.access.actors import Actor
from ticketing.db import sql
from ticketing.ground.errors import found
from ticketing.log import versions
from ticketing.writing import paging

PAGE_BYTES = 2 * 1024 * 1024
"""How many bytes of events a page holds, unless it is one event alone."""

SORTS = {"sequence": sql.events.list_ticket_events, "-sequence": sql.events.list_ticket_events_desc}

_POSITION = struct.Struct(">Q")


async def list_(
    conn: sql.Connection,
    actor: Actor,
    number: int,
    *,
    sort: str = "sequence",
    limit: int = 25,
    cursor: str | None = None,
    divisible: bool = False,
) -> paging.Divisible:
    """A page of a ticket's timeline as far as the actor may see it; if asked for, it may end earlier.

    Raises NotFound, InvalidCursor.
    """
    listing = ["events", number, actor.staffing(), *paging.unusual(sort, SORTS)]
    after = None
    if cursor is not None:
        (after,) = _POSITION.unpack(paging.unsealed(await _key(conn), listing, cursor))
    rows = await SORTS[sort](
        conn,
        ticket=number,
        **actor.viewer(),
        after=after,
        page_size=limit + 1,
        page_bytes=PAGE_BYTES,
    )
    if not rows:
        ticket = await sql.tickets.get_ticket(conn, number=number, **actor.viewer())
        found(ticket, f"ticket {number}")
    shown = rows[:limit]
    more = bool(shown) and shown[-1]["more"]
    key = await _key(conn) if more or divisible else b""
    items: list[dict[str, Any]] = [
        {name: value for name, value in row.items() if name not in ("position", "more")} for row in shown
    ]
    for event in items:
        event["data"] = versions.completed(event["type"], event["data"])

    def first(number: int) -> paging.Page:
        return {
            "items": items[:number],
            "next": paging.sealed(key, listing, _POSITION.pack(shown[number - 1]["position"])),
        }

    return paging.Divisible(first(len(items)) if more else {"items": items, "next": None}, first)


async def _key(conn: sql.Connection) -> bytes:
    log = await sql.events.get_event_log(conn)
    assert log is not None
    return log["key"]
