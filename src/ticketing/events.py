"""Events: the log of what happened. It is only read here; each event is written by the statement of its change.

A place in the log is a pair (transaction, position), and the log is read as far as it is settled (migrations/0002), so
that nothing can come before what was read. Readers hold places as sealed cursors: how far two of them are apart would
tell how much happened that the reader may not see.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, TypedDict

from ticketing import filters, paging, sql, tickets
from ticketing.auth import Actor
from ticketing.errors import CursorExpired, InvalidParameter

SCAN = 2000
"""How many events a page of the feed looks at: of a log in which somebody may see little, it makes many short pages."""
SCAN_BYTES = 2 * 1024 * 1024
"""And how many bytes, unless it is one event alone: an event may have a megabyte, a hundred are too much to hold."""
SCAN_OF_STAFF = 1.25
"""How many events are looked at for each that a page may hold, for whoever sees nearly all of them."""
LEAST_DAYS = 1
"""An Idempotency-Key answers for 24 hours with what its event holds."""

View = Literal["whole", "public", "gone"]
MEND = "Run `ticketing migrate`, which mends it."

_PACKED = struct.Struct(">BQQ")
_POSITION = struct.Struct(">Q")


class Place(NamedTuple):
    """A place in the log: after this event, and before all that come later."""

    transaction: int
    position: int


START = Place(0, 0)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the feed, and what of it they want."""

    actor: Actor
    types: Sequence[str] | None
    project: Sequence[str] | None
    #: What stands for them in `event_readers`.
    names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        roles = {"requester": ("requester",), "agent": ("staff",), "admin": ("staff", "admin")}
        object.__setattr__(self, "names", frozenset({*roles[self.actor.role], str(self.actor.id)}))

    @property
    def listing(self) -> list[Any]:
        """What their cursors are bound to."""
        return ["feed", self.actor.id, sorted(self.types or ()), sorted(self.project or ())]

    def wants(self, entry: sql.LogEntry) -> bool:
        """Whether their filters let an event pass."""
        return (self.types is None or entry["type"] in self.types) and (
            self.project is None or entry["project"] in self.project
        )

    def view(self, entry: sql.LogEntry) -> View | None:
        """How they see an event; None if they do not."""
        if not self.names.isdisjoint(entry["seen_by"] or ()):
            return "whole" if self.actor.staff else "public"
        return None if self.names.isdisjoint(entry["missed_by"] or ()) else "gone"


class Feed(TypedDict):
    """A page of the feed, as the contract says it."""

    items: Sequence[Any]
    next: str
    more: bool


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a reader sees of a stretch of the log: entries in order, where it ends, and whether the log goes on."""

    entries: Sequence[sql.LogEntry]
    until: Place
    more: bool


async def list_for_ticket(
    conn: sql.Connection, actor: Actor, number: int, *, limit: int = 25, cursor: str | None = None
) -> paging.Page:
    """A page of a ticket's timeline as far as the actor may see it, oldest first. Raises NotFound, InvalidCursor."""
    listing = ["events", number, actor.staff]
    after = None
    if cursor is not None:
        (after,) = _POSITION.unpack(paging.unsealed(await _key(conn), listing, cursor))
    rows = await sql.events.list_ticket_events(
        conn,
        ticket=number,
        viewer_id=actor.id,
        staff=actor.staff,
        after=after,
        page_size=limit + 1,
        page_bytes=SCAN_BYTES,
    )
    if not rows:
        await tickets.get(conn, actor, number)
    shown, following = rows[:limit], None
    if shown and shown[-1]["more"]:
        following = paging.sealed(await _key(conn), listing, _POSITION.pack(shown[-1]["position"]))
    return {
        "items": [{name: value for name, value in row.items() if name not in ("position", "more")} for row in shown],
        "next": following,
    }


async def _key(conn: sql.Connection) -> bytes:
    log = await sql.events.get_event_log(conn)
    assert log is not None
    return log["key"]


async def feed(
    conn: sql.Connection,
    actor: Actor,
    *,
    types: Sequence[str] | None = None,
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
        raise InvalidParameter.named("start", "A cursor says where to start. Leave one of the two out.")
    reader = Reader(actor, types, project)
    seal, place = await begun(conn, reader, cursor, at_end=start == "end")
    if start == "end":
        await check_named(conn, reader)
        return {"items": [], "next": seal.cursor(place), "more": False}
    sees_most = actor.staff and types is None and project is None
    stretch = await read(conn, reader, place, limit, scan=int(SCAN_OF_STAFF * limit) + 1 if sees_most else SCAN)
    if cursor is None:
        await check_named(conn, reader, borne=stretch.entries)
    return {
        "items": [told(entry, reader.view(entry)) for entry in stretch.entries],
        "next": seal.cursor(stretch.until),
        "more": stretch.more,
    }


@dataclass(frozen=True, slots=True)
class Seal:
    """Makes a reader's cursors."""

    key: bytes = field(repr=False)
    reader: Reader
    listing: list[Any]

    def cursor(self, place: Place) -> str:
        """The cursor of a place."""
        return paging.sealed(self.key, self.listing, _PACKED.pack(self.reader.actor.staff, *place))


async def begun(conn: sql.Connection, reader: Reader, cursor: str | None, *, at_end: bool) -> tuple[Seal, Place]:
    """Where a reader goes on: at their cursor, or at an end of the log. Raises InvalidCursor, CursorExpired."""
    log = await sql.events.get_event_log(conn)
    assert log is not None
    seal = Seal(log["key"], reader, reader.listing)
    end = Place(log["ends_before"] or 0, 0)
    if cursor is None:
        return seal, end if at_end else START
    staff, *numbers = _PACKED.unpack(paging.unsealed(log["key"], seal.listing, cursor))
    place = Place(*numbers)
    if staff != reader.actor.staff:
        raise CursorExpired("Your role has changed since, and what you may see with it. Read everything anew.")
    if place < Place(log["expired_transaction"] or 0, log["expired_position"]):
        raise CursorExpired("Not all events that came after this cursor are still kept. Read everything anew.")
    # Between the last event that a restored log has and the first one written since, nobody can have been who has read
    # nothing but what it has.
    if place > end or (log["added_after"] or 0) < place.transaction < log["added"]:
        raise CursorExpired(
            "The service was restored from a backup that is older than this cursor. Read everything anew."
        )
    return seal, place


async def check_named(conn: sql.Connection, reader: Reader, *, borne: Sequence[sql.LogEntry] = ()) -> None:
    """Look up the projects that a reader asks for, where they begin to. Raises InvalidParameter."""
    there = (entry["project"] for entry in borne if reader.view(entry) != "gone")
    projects = filters.named("project", "project", reader.project, borne=there)
    await filters.check_visible(conn, reader.actor, projects)


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
        types=list(reader.types) if reader and reader.types is not None else None,
        project=list(reader.project) if reader and reader.project is not None else None,
        reader=sorted(reader.names) if reader else None,
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


def place_of(entry: sql.LogEntry) -> Place:
    """The place of an event."""
    return Place(entry["transaction_id"] or 0, entry["position"] or 0)


def told(entry: sql.LogEntry, view: View | None) -> dict[str, Any]:
    """An event as the feed says it. Of what is gone for its reader it only says which thing that is."""
    gone = view == "gone"
    previous = entry["previous"] or {}
    if view == "public" and entry["ticket"] is None and previous.get("visibility") == "private":
        # What a project was like before it became public is nobody's business.
        previous = {"visibility": "private"}
    return {
        "id": entry["id"],
        "type": entry["type"],
        "occurred_at": entry["occurred_at"],
        "ticket": entry["ticket"],
        "project": None if gone and entry["ticket"] is not None else entry["project"],
        "actor": None if gone else entry["actor"],
        "data": None if gone else entry["data"],
        "previous": {} if gone else previous,
        "tombstone": gone,
    }


async def expire(conn: sql.Connection, *, days: int, batch: int) -> int:
    """Take a batch of events out of the log that are older than this, and give how many; 0 days keep all of them.

    Cursors from before what is left expire. Call it again until it gives 0.
    """
    if days == 0:
        return 0
    before = datetime.now(UTC) - timedelta(days=max(days, LEAST_DAYS))
    return await sql.events.expire_events(conn, recorded_before=before, batch=batch)


async def mend(conn: sql.Connection) -> bool:
    """Let the log of a database that was restored on another server go on; gives whether it had to be mended."""
    return bool(await sql.events.mend_event_log(conn))


async def ahead(conn: sql.Connection) -> bool:
    """Whether the log has to be mended: new events would come before old ones."""
    return bool(await sql.events.is_event_log_ahead(conn))
