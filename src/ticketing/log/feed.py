"""The feed: all that happened, in order, as far as a reader may see it now.

The log is only read here; each event is written by the statement of its change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from ticketing.access import filters
from ticketing.access.actors import Actor
from ticketing.contract import Fault
from ticketing.db import sql
from ticketing.ground.errors import InvalidParameter
from ticketing.log import versions
from ticketing.log.places import Place, Reader, Stretch, View, begun, place_of

SCAN = 2000
"""How many events a page of the feed looks at: of a log in which somebody may see little, it makes many short pages."""
SCAN_BYTES = 2 * 1024 * 1024
"""And how many bytes, unless it is one event alone: an event may have a megabyte, a hundred are too much to hold."""
SCAN_OF_STAFF = 1.25
"""How many events are looked at for each that a page may hold, for whoever sees nearly all of them."""


class Feed(TypedDict):
    """A page of the feed, as the contract says it."""

    items: Sequence[Any]
    next: str
    more: bool


async def list_(
    conn: sql.Connection,
    actor: Actor,
    *,
    type: Sequence[str] | None = None,
    project: Sequence[str] | None = None,
    limit: int = 25,
    start: str | None = None,
    cursor: str | None = None,
) -> Feed:
    """A page of all that happened, as far as the actor may see it now, in order.

    `next` is where to go on, also at the end of the log, and also if the page is empty because the actor may see
    nothing of what it looked at. Raises InvalidParameter (also for a project that is not there for the actor),
    InvalidCursor, CursorExpired.
    """
    if start is not None and cursor is not None:
        raise InvalidParameter.named("start", "incompatible", "A cursor says where to start. Leave one of the two out.")
    reader = Reader(actor, type, project)
    seal, place = await begun(conn, reader, cursor, at_end=start == "end")
    if start == "end":
        await check_named(conn, reader)
        return {"items": [], "next": seal.cursor(place), "more": False}
    sees_most = actor.everywhere and type is None and project is None
    stretch = await read(conn, reader, place, limit, scan=int(SCAN_OF_STAFF * limit) + 1 if sees_most else SCAN)
    if cursor is None:
        await check_named(conn, reader, borne=stretch.entries)
    return {
        "items": [as_seen_by(entry, reader.view(entry)) for entry in stretch.entries],
        "next": seal.cursor(stretch.until),
        "more": stretch.more,
    }


async def check_named(
    conn: sql.Connection, reader: Reader, *, borne: Sequence[sql.LogEntry | sql.AuditedEvent] = ()
) -> None:
    """Refuse what a reader asks for and can never get: hidden projects, and types that their token has no scope for.

    Call it where they begin. Raises InvalidParameter.
    """
    if reader.type:
        await _check_scopes(conn, reader.actor, reader.type)
    there = (entry["project"] for entry in borne if reader.view(entry) != "gone")
    projects = filters.named("project", "project", reader.project, borne=there)
    await filters.check_visible(conn, reader.actor, projects)


async def _check_scopes(conn: sql.Connection, actor: Actor, types: Sequence[str]) -> None:
    faults = [
        Fault(
            "beyond_rights",
            f"{row['type']} is for tokens with the scope {row['scope']}.",
            {"scope": row["scope"]},
            parameter="type",
        )
        for row in await sql.events.list_event_types(conn, types=list(types))
        if row["scope"] not in actor.scopes
    ]
    if faults:
        raise InvalidParameter(faults[0].detail, errors=faults)


async def read(
    conn: sql.Connection, reader: Reader | None, after: Place, limit: int, *, scan: int | None = None
) -> Stretch:
    """What a reader, or everybody together, sees of the log after a place.

    So many entries at most, of as many events as are to be looked at (SCAN) and of SCAN_BYTES.
    """
    rows = await sql.events.list_feed(
        conn,
        after_transaction=after.transaction,
        after_position=after.position,
        type=list(reader.type) if reader and reader.type is not None else None,
        project=list(reader.project) if reader and reader.project is not None else None,
        reader=sorted(reader.names) if reader else None,
        scopes=sorted(reader.actor.scopes) if reader else None,
        scan=scan or SCAN,
        scan_bytes=SCAN_BYTES,
        page_size=limit + 1,
    )
    entries = [row for row in rows if row["id"] is not None][:limit]
    if len(rows) > limit:
        return Stretch(entries, place_of(entries[-1]), more=True)
    return Stretch(
        entries, Place(rows[0]["until_transaction"] or 0, rows[0]["until_position"] or 0), bool(rows[0]["more"])
    )


def as_seen_by(entry: sql.LogEntry | sql.AuditedEvent, view: View | None) -> dict[str, Any]:
    """An event as the feed says it. Of what is gone for its reader it only says which thing that is."""
    gone = view == "gone"
    data, previous = entry["data"], entry["previous"] or {}
    if view == "whole" and entry["staff"]:
        data = data | entry["staff"]
    if view == "whole" and entry["staff_previous"]:
        previous = previous | entry["staff_previous"]
    return {
        "id": entry["id"],
        "type": entry["type"],
        "timestamp": entry["timestamp"],
        "sequence": entry["sequence"],
        "ticket_number": entry["ticket_number"],
        "project": None if gone and entry["ticket_number"] is not None else entry["project"],
        "actor": None if gone else entry["actor"],
        "data": None if gone else versions.completed(entry["type"] or "", data),
        "previous": {} if gone else previous,
        "tombstone": gone,
    }
