"""One open stream: the messages that wait for its client, and the permit to send them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

from ticketing.contract import Line, Problem
from ticketing.db import sql
from ticketing.log import places
from ticketing.log.places import Place, Reader, Seal, Stretch
from ticketing.log.streams.messages import NOTHING, PIECE_BYTES, Encoded, Message, Subject

RETRY_MS = 2000
MOST_BUFFERED_BYTES = 256 * 1024


class Source(Protocol):
    """Where a stream gets its events from: the Hub."""

    async def missed(self, reader: Reader, after: Place) -> Stretch: ...

    def join(self, listener: Listener) -> None: ...


class Listener:
    """One open stream: what is to be sent, in pieces, as long as its reader may listen."""

    __slots__ = (
        "_begun",
        "_messages",
        "_queued",
        "_seal",
        "_source",
        "_waiting",
        "actor",
        "ended",
        "line",
        "live",
        "permitted_until",
        "place",
        "reader",
        "sent_at",
    )

    def __init__(self, source: Source, seal: Seal, place: Place) -> None:
        self._source = source
        self._seal = seal
        self._messages: deque[Message] = deque()
        self._waiting = asyncio.Event()
        self._queued = 0
        self._begun = NOTHING
        self.reader = seal.reader
        self.actor = seal.reader.actor
        self.place = place
        self.live = False
        self.ended = False
        self.line: Line | None = None
        self.permitted_until = 0.0
        self.sent_at = time.monotonic()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"retry: %d\n%s" % (RETRY_MS, self._mark())
        while not (self.ended or self.live):
            reading = asyncio.ensure_future(self._source.missed(self.reader, self.place))
            reading.add_done_callback(lambda _: self._waiting.set())
            try:
                # It may take a while until it is our turn.
                while not (self.ended or reading.done()):
                    await self._waiting.wait()
                    self._waiting.clear()
                    async for piece in self.pieces():
                        yield piece
                if not reading.done():
                    return
                more = self._take(reading.result())
            except Problem:
                # It is too late for another answer; the client comes back, and goes on where it was.
                return
            finally:
                reading.cancel()
                del reading  # Its page may have megabytes, and the client takes its time.
            async for piece in self.pieces():
                yield piece
            if not (more or self.ended):
                self._source.join(self)
        while not self.ended:
            await self._waiting.wait()
            self._waiting.clear()
            async for piece in self.pieces():
                yield piece

    def _take(self, stretch: Stretch) -> bool:
        """Have what was missed sent, as much of it as a buffer holds; gives whether there is more."""
        for entry in stretch.entries:
            if self.overfull:
                return True
            self.put(self.message(entry, Encoded(entry, self.reader.view(entry))))
            self.place = places.place_of(entry)
        self.place = stretch.until
        return stretch.more

    async def pieces(self) -> AsyncIterator[bytes]:
        """What is in the buffer, until that is empty or the right to it has ended."""
        cut = self._cut_up()
        while True:
            while not self.ended and time.monotonic() >= self.permitted_until:
                self._waiting.clear()
                await self._waiting.wait()
            # Nothing leaves the buffer before it may be sent: what is there can be taken back.
            if self.ended or (piece := next(cut, None)) is None:
                return
            yield piece

    def _cut_up(self) -> Iterator[bytes]:
        piece: list[bytes] = []
        length = 0
        while self._messages:
            self._begun = self._messages.popleft()
            self._queued -= self._begun.size
            for part in self._begun.parts():
                if piece and length + len(part) > PIECE_BYTES:
                    yield b"".join(piece)
                    piece, length = [], 0
                piece.append(part)
                length += len(part)
            # Let go of now: its last piece is a copy, and the client may take long to read it.
            self._begun = NOTHING
        if piece:
            yield b"".join(piece)

    def put(self, message: Message) -> None:
        """Have a message sent."""
        self._messages.append(message)
        self._queued += message.size
        self._waiting.set()
        self.sent_at = time.monotonic()

    def take_back(self, subject: Subject) -> None:
        """Send nothing about a ticket or project any more, because it was taken from the reader."""
        self._messages = deque(each for each in self._messages if not each.is_about(subject))
        self._queued = sum(each.size for each in self._messages)
        if self._begun.is_about(subject):
            self.cut()
        elif self.line and self.line.drop_unsent():
            self.end()

    def permit(self, until: float) -> None:
        """Let it be sent to until then."""
        waits = time.monotonic() >= self.permitted_until
        self.permitted_until = until
        if waits:
            self._waiting.set()

    def look(self) -> None:
        """If it may not be sent to any more, nothing that is still on this machine may leave it.

        Before its first permit nothing but the head of the answer was sent, and that may leave.
        """
        if 0 < self.permitted_until <= time.monotonic() and self.line and self.line.drop_unsent():
            self.end()

    def beat(self) -> None:
        """Give a sign of life, and say from where to go on: much may have happened that its reader may not see."""
        if not self._messages:
            self.put(Message(b":\n" + self._mark()))

    def end(self) -> None:
        """Put nothing on the line any more."""
        self.ended = True
        self._messages.clear()
        self._queued = 0
        self._waiting.set()

    def cut(self) -> None:
        """Send nothing any more, also of what is on the line."""
        self.end()
        if self.line:
            self.line.drop_unsent()

    @property
    def size(self) -> int:
        """The bytes that are in the buffer, or of the event that is just being sent."""
        return self._queued + self._begun.size

    @property
    def overfull(self) -> bool:
        """Whether the client has not taken what was there before."""
        return self._queued > MOST_BUFFERED_BYTES

    def message(self, entry: sql.LogEntry, event: Encoded) -> Message:
        """An event as this reader is sent it, with the cursor of its place as its id."""
        cursor = self._seal.cursor(places.place_of(entry)).encode()
        return Message(b"id: %s\nevent: %s\ndata: " % (cursor, str(entry["type"]).encode()), event)

    def _mark(self) -> bytes:
        """A place to resume from: an id without data, which is no event to clients."""
        return b"id: %s\n\n" % self._seal.cursor(self.place).encode()
