"""Places in the event log, and who reads on from one.

A place is a pair (transaction, position), and the log is read as far as it is settled (migrations/0002), so that
nothing can come before what was read. Readers hold places as sealed cursors: how far two of them are apart would tell
how much happened that the reader may not see.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ticketing.access.actors import Actor
from ticketing.db import sql
from ticketing.ground.errors import CursorExpired
from ticketing.writing import paging

View = Literal["whole", "public", "gone"]
_PACKED = struct.Struct(">8sQQ")
_PACKED_BEFORE = struct.Struct(">BQQ")
"""A cursor of the release before this one, which says whether its reader is staff."""


class Place(NamedTuple):
    """A place in the log: after this event, and before all that come later."""

    transaction: int
    position: int


START = Place(0, 0)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the feed, and what of it they want."""

    actor: Actor
    type: Sequence[str] | None
    project: Sequence[str] | None
    #: What stands for them in `event_readers`; of these, what lets them see the whole event, and not its public part.
    names: frozenset[str] = field(init=False)
    whole: frozenset[str] = field(init=False)
    #: A digest of all that decides on what they see. Their cursors have it.
    rights: bytes = field(init=False)

    def __post_init__(self) -> None:
        whole = frozenset(_staff(self.actor))
        names = whole.union(_others(self.actor))
        text = "\n".join([*sorted(names), "", *sorted(self.actor.scopes - {"tickets:write"})])
        object.__setattr__(self, "whole", whole)
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "rights", hashlib.blake2b(text.encode(), digest_size=8).digest())

    @property
    def listing(self) -> list[Any]:
        """What their cursors are bound to."""
        return ["feed", self.actor.id, sorted(self.type or ()), sorted(self.project or ())]

    def wants(self, entry: sql.LogEntry) -> bool:
        """Whether their filters let an event pass."""
        return (self.type is None or entry["type"] in self.type) and (
            self.project is None or entry["project"] in self.project
        )

    def view(self, entry: sql.LogEntry | sql.AuditedEvent) -> View | None:
        """How they see an event; None if they do not. An event of a type that is not declared has no scope."""
        if entry["scope"] not in self.actor.scopes:
            return None
        if not self.whole.isdisjoint(entry["seen_by"] or ()):
            return "whole"
        if not self.names.isdisjoint(entry["seen_by"] or ()):
            return "public"
        return None if self.names.isdisjoint(entry["missed_by"] or ()) else "gone"


def _staff(actor: Actor) -> Iterator[str]:
    if actor.staffs_any:
        yield "agent"
    if actor.everywhere:
        yield "staff"
    if actor.admin and "admin" in actor.scopes:
        yield "admin"
    for project in actor.projects:
        yield f"project:{project}"


def _others(actor: Actor) -> Iterator[str]:
    yield "everyone"
    if actor.id is not None:
        yield f"user:{actor.id}"
    if actor.requester_id is not None:
        yield str(actor.requester_id)
    for organization in actor.organizations:
        yield f"organization:{organization}"


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
        return paging.sealed(self.key, self.listing, _PACKED.pack(self.reader.rights, *place))


async def begun(conn: sql.Connection, reader: Reader, cursor: str | None, *, at_end: bool) -> tuple[Seal, Place]:
    """Where a reader goes on: at their cursor, or at an end of the log. Raises InvalidCursor, CursorExpired."""
    log = await sql.events.get_event_log(conn)
    assert log is not None
    seal = Seal(log["key"], reader, reader.listing)
    end = Place(log["ends_before"] or 0, 0)
    if cursor is None:
        return seal, end if at_end else START
    rights, place = _opened(paging.unsealed(log["key"], seal.listing, cursor))
    if rights not in (reader.rights, reader.actor.everywhere):
        raise CursorExpired("Your rights have changed since, and so has what you may see. Read everything again.")
    if place < Place(log["expired_transaction"] or 0, log["expired_position"]):
        raise CursorExpired("Some events after this cursor are no longer kept. Read everything again.")
    # Between the last event that a restored log has and the first one written since, nobody can have been who has read
    # nothing but what it has.
    if place > end or (log["added_after"] or 0) < place.transaction < log["added"]:
        raise CursorExpired(
            "The service was restored from a backup that is older than this cursor. Read everything again."
        )
    return seal, place


def _opened(text: bytes) -> tuple[bytes | bool, Place]:
    """What a cursor holds of its reader's rights, and its place."""
    if len(text) == _PACKED.size:
        rights, *numbers = _PACKED.unpack(text)
        return rights, Place(*numbers)
    staff, *numbers = _PACKED_BEFORE.unpack(text)
    return bool(staff), Place(*numbers)


def place_of(entry: sql.LogEntry) -> Place:
    """The place of an event."""
    return Place(entry["transaction_id"] or 0, entry["position"] or 0)
