"""The hub: all open streams of a process, and what feeds them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from ticketing.contract import Problem
from ticketing.db import pool, sql
from ticketing.db.bell import Bell
from ticketing.ground import metrics
from ticketing.ground.config import Settings
from ticketing.log import feed, places
from ticketing.log.places import Place, Reader, Stretch, View
from ticketing.log.streams import permits
from ticketing.log.streams.listener import Listener
from ticketing.log.streams.messages import Encoded, subject_of
from ticketing.log.streams.room import Room

POLL_SECONDS = 0.5
CHECK_SECONDS = 0.2
"""Seconds between two renewals of the permits."""
TICK_SECONDS = 0.1
"""Seconds between two looks at whether a stream needs a heartbeat, has to wait, or holds too much."""
BATCH = 100
"""How many events are read at once. A buffer holds those of one batch beyond its limit."""
MOST_HELD_BYTES = 64 * 1024 * 1024
"""What a process holds of events for all its streams together, each counted once; the fullest buffers end first."""
DELIVERIES_A_TURN = 500
"""How many messages are put into buffers before others have their turn."""
CATCHING_UP_AT_ONCE = 2
"""How many streams read what they have missed at the same time: after a restart they all do."""

log = logging.getLogger(__name__)


class Hub:
    """All open streams of a process, and what feeds them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.room = Room(settings)
        self._listeners: set[Listener] = set()
        self._live: defaultdict[str, set[Listener]] = defaultdict(set)
        self._place: Place | None = None
        self._wanted = asyncio.Event()
        self._unchecked = asyncio.Event()
        self._catching_up = asyncio.Semaphore(CATCHING_UP_AT_ONCE)
        self._delayed: set[str] = set()
        self._leaving = False

    # Who listens

    def add(self, listener: Listener) -> None:
        self._listeners.add(listener)
        if self._leaving:
            listener.end()
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
        """End all streams; new ones end once their clients know from where to go on, in the next process."""
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
            listener.put(listener.message(entry, bodies[view]))
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
                await self._tried(self._renew_permits)

    async def _renew_permits(self) -> None:
        await permits.renew(self._listeners)
