"""What a stream sends: server-sent events, whose JSON is in memory once however many streams carry it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import orjson

from ticketing.db import sql
from ticketing.log import feed
from ticketing.log.places import View

PIECE_BYTES = 64 * 1024
"""Bytes that are sent at once, also of a longer event: what is sent cannot be taken back."""

Subject = tuple[str, Any]
"""What a reader can lose sight of, with all its events: a ticket, or a project."""


class Encoded:
    """An event in JSON: encoded once, and held once for all streams that have yet to send it."""

    __slots__ = ("body", "subject")

    held: ClassVar[int] = 0
    """The bytes of all that exist in this process."""

    def __init__(self, entry: sql.LogEntry, view: View | None) -> None:
        self.body = orjson.dumps(feed.as_seen_by(entry, view))
        self.subject = subject_of(entry)
        Encoded.held += len(self.body)

    def __del__(self) -> None:
        Encoded.held -= len(self.body)


def subject_of(entry: sql.LogEntry) -> Subject:
    """The ticket of an event, or else its project."""
    return ("project", entry["project"]) if entry["ticket_number"] is None else ("ticket", entry["ticket_number"])


class Message(NamedTuple):
    """One server-sent event; without `event` it is only a place to continue from, or a comment."""

    head: bytes
    event: Encoded | None = None

    @property
    def size(self) -> int:
        """Its bytes in memory."""
        return len(self.head) + (len(self.event.body) if self.event else 0)

    def is_about(self, subject: Subject) -> bool:
        """Whether it tells an event of this ticket or project."""
        return self.event is not None and self.event.subject == subject

    def parts(self) -> Iterator[bytes]:
        """Its bytes, in parts of at most PIECE_BYTES."""
        yield self.head
        if self.event is not None:
            for start in range(0, len(self.event.body), PIECE_BYTES):
                yield self.event.body[start : start + PIECE_BYTES]
            yield b"\n\n"


NOTHING = Message(b"")
