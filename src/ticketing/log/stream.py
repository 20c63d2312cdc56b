"""The feed as it happens: one reader of the log for all open streams of a process.

Whatever is new is read once, told by the bell, and put into the buffer of each stream whose reader may see it; who may
is in what was read. A stream that begins in the past first reads that for itself, a page at a time, and then joins. A
buffer that is not emptied in time ends its stream; the client may come back and go on where it was.

A stream is sent to only with a permit that is a fraction of a second old: five times a second the database is asked
which streams may not go on. So however late it answers, and however slowly a client reads, nothing is sent later than
a second after the right to it has ended.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, ClassVar

import orjson

from ticketing.access import authentication
from ticketing.access.actors import Actor
from ticketing.contract import Line, Problem
from ticketing.db import pool, sql
from ticketing.db.bell import Bell
from ticketing.ground import metrics
from ticketing.ground.config import Settings
from ticketing.ground.errors import TooManyStreams
from ticketing.log import feed, places
from ticketing.log.places import Place, Reader, Seal, Stretch, View

SCOPE = "tickets:read"
POLL_SECONDS = 0.5
CHECK_SECONDS = 0.2
"""How often it is looked whether those who listen still may."""
PERMIT_SECONDS = 0.6
"""How long a stream is sent to after the beginning of such a look; then it waits for the next. With TICK_SECONDS it is
less than the second within which, by the contract, nothing is sent any more."""
TICK_SECONDS = 0.1
"""How often it is looked whether a stream needs a sign of life, has to wait, or is too much."""
RETRY_MS = 2000
BATCH = 100
"""How many events are read at once. A buffer holds those of one batch beyond its limit."""
MOST_BUFFERED_BYTES = 256 * 1024
MOST_HELD_BYTES = 64 * 1024 * 1024
"""What a process holds of events for all its streams together, each counted once; the fullest buffers end first."""
PIECE_BYTES = 64 * 1024
"""What is sent at once, of an event as well: only as much is out of our hands."""
DELIVERIES_A_TURN = 500
"""How many messages are put into buffers before others have their turn."""
CATCHING_UP_AT_ONCE = 2
"""How many streams read what they have missed at the same time: after a restart they all do."""

log = logging.getLogger(__name__)
_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}
"""That of each event loop, as connections have to be written to by their own."""


class Full(Problem):
    """There are as many streams in this process as may be; another one may have room."""

    slug = "unavailable"

    def __init__(self) -> None:
        super().__init__("There are as many streams open as there may be. Try again.", headers={"Retry-After": "5"})


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[None]:
    """Let streams be opened for as long as the block runs."""
    loop = asyncio.get_running_loop()
    hub = _hubs[loop] = Hub(settings)
    working = [asyncio.create_task(work()) for work in (hub.follow, hub.watch, hub.check)]
    try:
        yield
    finally:
        hub.leave()
        for task in working:
            task.cancel()
        await asyncio.wait(working)
        del _hubs[loop]


def leave() -> None:
    """End every stream now, and open none any more: this process is about to end."""
    if hub := _hubs.get(asyncio.get_running_loop()):
        hub.leave()


@asynccontextmanager
async def opened(
    actor: Actor, *, types: Sequence[str] | None = None, project: Sequence[str] | None = None, cursor: str | None = None
) -> AsyncIterator[Listener]:
    """A stream of what the actor may see from the cursor, or from now, on.

    Raises TooManyStreams, Full, InvalidParameter, InvalidCursor, CursorExpired.
    """
    hub = _hubs[asyncio.get_running_loop()]
    reader = Reader(actor, types, project)
    with hub.room(actor):
        async with pool.connection() as conn:
            seal, place = await places.begun(conn, reader, cursor, at_end=True)
            if cursor is None:
                await feed.check_named(conn, reader)
        listener = Listener(hub, seal, place)
        hub.add(listener)
        try:
            yield listener
        finally:
            hub.remove(listener)


class Encoded:
    """An event in JSON: encoded once, and held once for all streams that have yet to send it."""

    __slots__ = ("body", "subject")

    held: ClassVar[int] = 0
    """The bytes of all that there are."""

    def __init__(self, entry: sql.LogEntry, view: View | None) -> None:
        self.body = orjson.dumps(feed.as_seen_by(entry, view))
        self.subject = subject_of(entry)
        Encoded.held += len(self.body)

    def __del__(self) -> None:
        Encoded.held -= len(self.body)


def subject_of(entry: sql.LogEntry) -> tuple[Any, ...]:
    """What can be taken from somebody together with an event: its ticket or project, and all that is in it."""
    return ("project", entry["project"]) if entry["ticket"] is None else ("ticket", entry["ticket"])


class Listener:
    """One open stream: what is to be sent, in pieces, as long as its reader may listen."""

    __slots__ = (
        "_begun",
        "_hub",
        "_messages",
        "_queued",
        "_seal",
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

    def __init__(self, hub: Hub, seal: Seal, place: Place) -> None:
        self._hub = hub
        self._seal = seal
        self._messages: deque[tuple[bytes, Encoded | None]] = deque()
        self._waiting = asyncio.Event()
        self._queued = 0
        self._begun: tuple[bytes, Encoded | None] = (b"", None)
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
            reading = asyncio.ensure_future(self._hub.missed(self.reader, self.place))
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
                self._hub.join(self)
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
            self.put(self.head(entry), Encoded(entry, self.reader.view(entry)))
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
            self._begun = head, told = self._messages.popleft()
            self._queued -= _size(head, told)
            for part in _parts(head, told):
                if piece and length + len(part) > PIECE_BYTES:
                    yield b"".join(piece)
                    piece, length = [], 0
                piece.append(part)
                length += len(part)
            self._begun = (b"", None)
            del told  # Its last piece is a copy, and may take long.
        if piece:
            yield b"".join(piece)

    def put(self, head: bytes, told: Encoded | None = None) -> None:
        """Have a message sent."""
        self._messages.append((head, told))
        self._queued += _size(head, told)
        self._waiting.set()
        self.sent_at = time.monotonic()

    def take_back(self, subject: tuple[Any, ...]) -> None:
        """Send nothing any more that is about this, as it was taken from the reader."""
        self._messages = deque(each for each in self._messages if each[1] is None or each[1].subject != subject)
        self._queued = sum(_size(*each) for each in self._messages)
        told = self._begun[1]
        if told and told.subject == subject:
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
            self.put(b":\n" + self._mark())

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
        return self._queued + _size(*self._begun)

    @property
    def overfull(self) -> bool:
        """Whether the client has not taken what was there before."""
        return self._queued > MOST_BUFFERED_BYTES

    def head(self, entry: sql.LogEntry) -> bytes:
        """What comes before an event's body in a server-sent one."""
        return b"id: %s\nevent: %s\ndata: " % (
            self._seal.cursor(places.place_of(entry)).encode(),
            str(entry["type"]).encode(),
        )

    def _mark(self) -> bytes:
        """A place to resume from: an id without data, which is no event to clients."""
        return b"id: %s\n\n" % self._seal.cursor(self.place).encode()


def _parts(head: bytes, told: Encoded | None) -> Iterator[bytes]:
    yield head
    if told is not None:
        for start in range(0, len(told.body), PIECE_BYTES):
            yield told.body[start : start + PIECE_BYTES]
        yield b"\n\n"


def _size(head: bytes, told: Encoded | None) -> int:
    return len(head) + (len(told.body) if told else 0)


class Hub:
    """All open streams of a process, and what feeds them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._taken: Counter[Any] = Counter()
        self._listeners: set[Listener] = set()
        self._live: defaultdict[str, set[Listener]] = defaultdict(set)
        self._place: Place | None = None
        self._wanted = asyncio.Event()
        self._unchecked = asyncio.Event()
        self._catching_up = asyncio.Semaphore(CATCHING_UP_AT_ONCE)
        self._leaving = False
        self._delayed: set[str] = set()

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
        self._unchecked.set()
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
        async with self._catching_up, pool.connection() as conn:
            return await feed.read(conn, reader, after, BATCH)

    async def follow(self) -> None:
        """Feed all streams with what happens, for ever."""
        while True:
            if not self._live:
                self._place = None
                self._wanted.clear()
            await self._wanted.wait()
            async with Bell(self._settings.database_url) as bell:
                while self._live:
                    if not await self._tried(self._read_on):
                        await bell.wait(POLL_SECONDS)

    async def _read_on(self) -> bool:
        """Read what is new, and pass it on; gives whether there is more."""
        assert self._place is not None
        async with pool.connection() as conn:
            stretch = await feed.read(conn, None, self._place, BATCH, scan=BATCH)
        for listener in [each for each in self._everybody() if each.overfull]:
            listener.end()
        self.make_room()
        delivered = 0
        for entry in stretch.entries:
            delivered += self._deliver(entry)
            # Encoded before others have their turn: whoever joins now has to have read this far.
            self._place = places.place_of(entry)
            if delivered > DELIVERIES_A_TURN:
                delivered = 0
                await asyncio.sleep(0)
        self._place = stretch.until
        for listener in self._everybody():
            listener.place = max(listener.place, stretch.until)
        return stretch.more

    def _deliver(self, entry: sql.LogEntry) -> int:
        """Put one event into the buffers of all who may see it, encoded once for each view of it."""
        place = places.place_of(entry)
        bodies: dict[View, Encoded] = {}
        count = 0
        for listener in self._named([*(entry["seen_by"] or ()), *(entry["missed_by"] or ())]):
            if listener.ended or listener.place >= place or not listener.reader.wants(entry):
                continue
            view = listener.reader.view(entry)
            if view is None:
                continue
            if view not in bodies:
                bodies[view] = Encoded(entry, view)
            if view == "gone":
                listener.take_back(subject_of(entry))
            listener.put(listener.head(entry), bodies[view])
            listener.place = place
            count += 1
        return count

    def _named(self, names: Iterable[str]) -> set[Listener]:
        found: set[Listener] = set()
        for name in names:
            found |= self._live.get(name, set())
        return found

    def _everybody(self) -> set[Listener]:
        return self._named(("everyone",))

    def make_room(self) -> None:
        """End the fullest streams if all together hold too much, but first let go of what ended ones still hold."""
        if Encoded.held <= MOST_HELD_BYTES:
            return
        leaving = 0
        """Bytes that ended streams were just sending: each lets go of them in a moment."""
        for listener in sorted(self._listeners, key=lambda each: (each.ended, each.size), reverse=True):
            if Encoded.held - leaving <= MOST_HELD_BYTES:
                break
            listener.cut()
            leaving += listener.size

    async def _tried(self, work: Callable[[], Any]) -> bool:
        """What the work gives; False if it cannot be done just now, which is told once and tried again."""
        try:
            done = bool(await work())
        except Exception as error:
            if work.__name__ not in self._delayed:
                self._delayed.add(work.__name__)
                log.warning("Streams have to wait", exc_info=None if isinstance(error, Problem) else error)
            await asyncio.sleep(CHECK_SECONDS)
            return False
        self._delayed.discard(work.__name__)
        return done

    # Who may go on listening

    async def watch(self) -> None:
        """Give signs of life, and stop what is too much, or not permitted just now, for ever."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            await self._tried(self._look_at_all)

    async def _look_at_all(self) -> None:
        now = time.monotonic()
        for listener in list(self._listeners):
            listener.look()
            if now - listener.sent_at >= self._settings.heartbeat_seconds:
                listener.beat()
        self.make_room()

    async def check(self) -> None:
        """Let those go on who may listen, and end the streams of the others, for ever."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS):
                    await self._unchecked.wait()
            self._unchecked.clear()
            if self._listeners:
                await self._tried(self._end_the_unauthorized)

    async def _end_the_unauthorized(self) -> bool:
        asked = list(self._listeners)
        held = list({(listener.actor.token_id, listener.actor.rights) for listener in asked})
        async with pool.connection() as conn:
            began = time.monotonic()
            rows = await sql.tokens.list_ended_tokens(
                conn,
                token_ids=[token_id for token_id, _ in held if token_id],
                rights=[rights for token_id, rights in held if token_id],
            )
        ended = {(row["token_id"], row["rights"]) for row in rows}
        if ended:
            authentication.forget({row["token_id"] for row in rows if row["token_id"]})
        for listener in asked:
            if (listener.actor.token_id, listener.actor.rights) in ended:
                listener.cut()
            else:
                listener.permit(began + PERMIT_SECONDS)
        return True
