"""The feed as it happens: one reader of the log for all open streams of a process.

Whatever is new is read once, told by the bell, and put into the buffer of each stream whose reader may see it; who may
is in what was read. A stream that begins in the past first reads that for itself, a page at a time, and then joins. A
buffer that is not emptied in time ends its stream; the client may come back and go on where it was.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import orjson

from ticketing import auth, db, events, metrics, sql
from ticketing.auth import Actor
from ticketing.bell import Bell
from ticketing.config import Settings
from ticketing.contract import Problem
from ticketing.errors import TooManyStreams
from ticketing.events import Place, Reader, Seal, Stretch, View

SCOPE = "tickets:read"
POLL_SECONDS = 0.5
CHECK_SECONDS = 2.0
"""How late a stream ends whose token was revoked, or whose user has another role."""
RETRY_MS = 2000
BATCH = 100
"""How many events are read at once. A buffer holds those of one batch beyond its limit."""
MOST_BUFFERED_BYTES = 256 * 1024
DELIVERIES_A_TURN = 500
"""How many messages are put into buffers before others have their turn."""
CATCHING_UP_AT_ONCE = 2
"""How many streams read what they have missed at the same time: after a restart they all do."""

log = logging.getLogger(__name__)
_hub: Hub | None = None


class Full(Problem):
    """There are as many streams in this process as may be; another one may have room."""

    slug = "unavailable"

    def __init__(self) -> None:
        super().__init__("There are as many streams open as there may be. Try again.", headers={"Retry-After": "5"})


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[None]:
    """Let streams be opened for as long as the block runs."""
    global _hub
    before, _hub = _hub, Hub(settings)
    working = [asyncio.create_task(_hub.follow()), asyncio.create_task(_hub.watch())]
    try:
        yield
    finally:
        _hub.leave()
        for task in working:
            task.cancel()
        await asyncio.wait(working)
        _hub = before


def leave() -> None:
    """End every stream now, and open none any more: this process is about to end."""
    if _hub is not None:
        _hub.leave()


@asynccontextmanager
async def opened(
    actor: Actor, *, types: Sequence[str] | None = None, project: Sequence[str] | None = None, cursor: str | None = None
) -> AsyncIterator[Listener]:
    """A stream of what the actor may see from the cursor, or from now, on.

    Raises TooManyStreams, Full, InvalidCursor, CursorExpired.
    """
    assert _hub is not None, "not serving"
    reader = Reader(actor, types, project)
    with _hub.room(actor):
        async with db.connection() as conn:
            seal, place = await events.begun(conn, reader, cursor, at_end=True)
        listener = Listener(_hub, seal, place)
        _hub.add(listener)
        try:
            yield listener
        finally:
            _hub.remove(listener)


class Listener:
    """One open stream: what is to be sent, in pieces."""

    __slots__ = (
        "_hub",
        "_messages",
        "_seal",
        "_size",
        "_waiting",
        "actor",
        "ended",
        "live",
        "place",
        "reader",
        "sent_at",
    )

    def __init__(self, hub: Hub, seal: Seal, place: Place) -> None:
        self._hub = hub
        self._seal = seal
        self._messages: list[bytes] = []
        self._size = 0
        self._waiting = asyncio.Event()
        self.reader = seal.reader
        self.actor = seal.reader.actor
        self.place = place
        self.live = False
        self.ended = False
        self.sent_at = time.monotonic()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"retry: %d\n%s" % (RETRY_MS, self._mark())
        while not (self.ended or self.live):
            try:
                stretch = await self._hub.missed(self.reader, self.place)
            except Problem:
                # It is too late for another answer; the client comes back, and goes on where it was.
                return
            messages = [self.message(entry, self.reader.view(entry)) for entry in stretch.entries]
            self.place = stretch.until
            self._touch()
            if messages and not self.ended:
                yield b"".join(messages)
            if not stretch.more:
                self._hub.join(self)
        while not self.ended:
            await self._waiting.wait()
            self._waiting.clear()
            if self._messages:
                piece = b"".join(self._messages)
                self._messages.clear()
                self._size = 0
                yield piece

    def put(self, message: bytes) -> None:
        """Have a message sent."""
        self._messages.append(message)
        self._size += len(message)
        self._waiting.set()
        self._touch()

    def beat(self) -> None:
        """Give a sign of life, and tell the place from which to go on, as much may have happened that was not told."""
        if self.live and not self._messages:
            self.put(b":\n" + self._mark())

    def end(self) -> None:
        """Send nothing any more."""
        self.ended = True
        self._messages.clear()
        self._waiting.set()

    @property
    def overfull(self) -> bool:
        """Whether the client has not taken what was there before."""
        return self._size > MOST_BUFFERED_BYTES

    def message(self, entry: sql.LogEntry, view: View | None, body: bytes | None = None) -> bytes:
        """An event as a server-sent one."""
        return b"id: %s\nevent: %s\ndata: %s\n\n" % (
            self._seal.cursor(events.place_of(entry)).encode(),
            str(entry["type"]).encode(),
            body or orjson.dumps(events.told(entry, view)),
        )

    def _mark(self) -> bytes:
        """A place to resume from: an id without data, which is no event to clients."""
        return b"id: %s\n\n" % self._seal.cursor(self.place).encode()

    def _touch(self) -> None:
        self.sent_at = time.monotonic()


class Hub:
    """All open streams of a process, and what feeds them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._taken: Counter[Any] = Counter()
        self._listeners: set[Listener] = set()
        self._live: defaultdict[str, set[Listener]] = defaultdict(set)
        self._place: Place | None = None
        self._wanted = asyncio.Event()
        self._catching_up = asyncio.Semaphore(CATCHING_UP_AT_ONCE)
        self._leaving = False

    # Who listens

    @contextmanager
    def room(self, actor: Actor) -> Iterator[None]:
        """Room for one stream more. Raises TooManyStreams, Full."""
        if self._leaving or self._taken.total() >= self._settings.streams:
            raise Full
        if self._taken[actor.id] >= self._settings.streams_per_user:
            raise TooManyStreams(
                f"You have {self._settings.streams_per_user} streams open, which is as many as you may. "
                "Close one, or share one among your programs.",
                headers={"Retry-After": "5"},
            )
        self._taken[actor.id] += 1
        try:
            yield
        finally:
            self._taken[actor.id] -= 1
            if not self._taken[actor.id]:
                del self._taken[actor.id]

    def add(self, listener: Listener) -> None:
        self._listeners.add(listener)
        metrics.STREAMS.inc()

    def remove(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        for name in listener.reader.names:
            self._live[name].discard(listener)
            if not self._live[name]:
                del self._live[name]
        metrics.STREAMS.dec()

    def join(self, listener: Listener) -> None:
        """Let a stream that has caught up be fed with the others, unless they are ahead of it by now."""
        if self._place is None:
            self._place = listener.place
        if self._place > listener.place:
            return
        listener.live = True
        for name in listener.reader.names:
            self._live[name].add(listener)
        self._wanted.set()

    def leave(self) -> None:
        """End all streams, and open none any more."""
        self._leaving = True
        for listener in list(self._listeners):
            listener.end()

    # What happens

    async def missed(self, reader: Reader, after: Place) -> Stretch:
        """A page of what a stream that is not live yet has missed."""
        async with self._catching_up, db.connection() as conn:
            return await events.read(conn, reader, after, BATCH)

    async def follow(self) -> None:
        """Feed all streams with what happens, for ever."""
        while True:
            if not self._live:
                self._place = None
                self._wanted.clear()
            await self._wanted.wait()
            async with Bell(self._settings.database_url) as bell:
                while self._live:
                    if not await _tried(self._read_on):
                        await bell.wait(POLL_SECONDS)

    async def _read_on(self) -> bool:
        """Read what is new, and pass it on; gives whether there is more."""
        assert self._place is not None
        async with db.connection() as conn:
            stretch = await events.read(conn, None, self._place, BATCH)
        for listener in [each for each in self._everybody() if each.overfull]:
            listener.end()
        delivered = 0
        for entry in stretch.entries:
            delivered += self._deliver(entry)
            # Told before others have their turn: whoever joins now has to have read this far.
            self._place = events.place_of(entry)
            if delivered > DELIVERIES_A_TURN:
                delivered = 0
                await asyncio.sleep(0)
        self._place = stretch.until
        for listener in self._everybody():
            listener.place = max(listener.place, stretch.until)
        return stretch.more

    def _deliver(self, entry: sql.LogEntry) -> int:
        """Put one event into the buffers of all who may see it, encoded once for each view of it."""
        place = events.place_of(entry)
        bodies: dict[View, bytes] = {}
        count = 0
        for listener in self._named([*(entry["seen_by"] or ()), *(entry["missed_by"] or ())]):
            if listener.ended or listener.place >= place or not listener.reader.wants(entry):
                continue
            view = listener.reader.view(entry)
            assert view is not None
            body = bodies.get(view)
            if body is None:
                body = bodies[view] = orjson.dumps(events.told(entry, view))
            listener.put(listener.message(entry, view, body))
            count += 1
        return count

    def _named(self, names: Iterable[str]) -> set[Listener]:
        found: set[Listener] = set()
        for name in names:
            found |= self._live.get(name, set())
        return found

    def _everybody(self) -> set[Listener]:
        return self._named(("staff", "requester"))

    # Who may go on listening

    async def watch(self) -> None:
        """Give signs of life, and end the streams of those who may not listen any more, for ever."""
        checked = 0.0
        while True:
            await asyncio.sleep(1)
            now = time.monotonic()
            for listener in list(self._listeners):
                if now - listener.sent_at >= self._settings.heartbeat_seconds:
                    listener.beat()
            if self._listeners and now - checked >= CHECK_SECONDS:
                checked = now
                await _tried(self._end_the_unauthorized)

    async def _end_the_unauthorized(self) -> bool:
        asked = list(self._listeners)
        async with db.connection() as conn:
            rows = await sql.tokens.list_live_tokens(
                conn, token_ids=list({listener.actor.token_id for listener in asked})
            )
        may = {(row["token_id"], row["role"]) for row in rows if SCOPE in (row["scopes"] or ())}
        for listener in asked:
            if (listener.actor.token_id, listener.actor.role) not in may:
                auth.forget([listener.actor.token_id])
                listener.end()
        return True


async def _tried(work: Callable[[], Any]) -> bool:
    """What the work gives; False if it cannot be done just now, as it will be tried again."""
    try:
        return bool(await work())
    except Problem as problem:
        log.warning("Streams have to wait: %s", problem.detail)
    except Exception:
        log.exception("Streams have to wait")
    await asyncio.sleep(POLL_SECONDS)
    return False
