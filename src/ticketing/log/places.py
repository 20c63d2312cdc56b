"""Places in the event log, and who reads on from one.

A place is a pair (transaction, position), and the log is read as far as it is settled (migrations/0002), so that
nothing can come before what was read. Readers hold places as sealed cursors: how far two of them are apart would tell
how much happened that the reader may not see.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ticketing.access.actors import Actor
from ticketing.db import sql
from ticketing.ground.errors import CursorExpired
from ticketing.writing import paging

View = Literal["whole", "public", "gone"]
_PACKED = struct.Struct(">BQQ")


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
        object.__setattr__(self, "names", frozenset({*_rights(self.actor), "everyone", str(self.actor.id)}))

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
        """How they see an event; None if they do not. An event of a type that is not declared has no scope."""
        if entry["scope"] not in self.actor.scopes:
            return None
        if not self.names.isdisjoint(entry["seen_by"] or ()):
            return "whole" if self.actor.everywhere else "public"
        return None if self.names.isdisjoint(entry["missed_by"] or ()) else "gone"


def _rights(actor: Actor) -> Iterator[str]:
    """What else stands for an actor among the readers of events. An admin's token has to hold that scope as well."""
    if actor.everywhere:
        yield "staff"
    if actor.admin and "admin" in actor.scopes:
        yield "admin"


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a reader sees of a stretch of the log: entries in order, where it ends, and whether the log goes on."""

    entries: Sequence[sql.LogEntry]
    until: Place
    more: bool


@dataclass(frozen=True, slots=True)
class Seal:
    """Makes a reader's cursors."""

    key: bytes = field(repr=False)
    reader: Reader
    listing: list[Any]

    def cursor(self, place: Place) -> str:
        """The cursor of a place."""
        return paging.sealed(self.key, self.listing, _PACKED.pack(self.reader.actor.everywhere, *place))


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
    if staff != reader.actor.everywhere:
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


def place_of(entry: sql.LogEntry) -> Place:
    """The place of an event."""
    return Place(entry["transaction_id"] or 0, entry["position"] or 0)
