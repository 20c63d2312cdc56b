"""All connections of a process: how many may be open, in all and per address, and how long each may keep us waiting.

Connections with an open stream are limited as streams, in all and per user; the limits here are for the others. So
neither takes the other's room.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Collection
from typing import Protocol as Interface

from ticketing.contract.forwarded import subscriber
from ticketing.ground import metrics
from ticketing.ground.config import Settings
from ticketing.monitoring import files

MOST_UNSENT_BYTES = 64 * 1024 * 1024
"""Most bytes of unread answers that a process holds, besides some 64 KiB per connection."""
SWEEP_SECONDS = 1.0
"""How often we look for overdue connections: one timer for all of them."""

MOST_PARTING = 32
"""Most refused connections that stay open for a moment, so that their clients can read the refusal."""

REFUSALS = 10
"""Bad requests per address and sweep that are answered at once; beyond that, answers are late to slow down floods."""


class Connection(Interface):
    """What Connections needs of a connection."""

    due: float
    """The loop time at which we will have waited long enough; `math.inf` while the client waits for us."""

    def overdue(self) -> None:
        """End it."""

    def break_off(self) -> None:
        """End it, and drop what was not sent."""


NEVER = math.inf


class Connections:
    """The open connections; each is notified when it is overdue."""

    def __init__(self, opened: Collection[Connection], settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self.head_seconds, self.idle_seconds = settings.head_seconds, settings.idle_seconds
        self._opened = opened
        self._most = min(settings.streams + settings.connections, files.left_for_connections(settings))
        self._most_without_stream = settings.connections
        self._most_of_one = settings.connections_per_address
        self._of_one: Counter[str] = Counter()
        self._with_stream = 0
        self._parting: dict[Connection, str] = {}
        self._refused: Counter[str] = Counter()
        self._unsent: dict[Connection, tuple[str, int]] = {}
        self._unsent_of: Counter[str] = Counter()
        self._proxies = settings.trusted_proxies
        self._loop = loop
        self._sweeping = False

    def admit(self, peer: str) -> bool:
        """Whether one more may open; if so, it must `leave` at its end. A trusted proxy speaks for many clients.

        An address may hold as many as are free: half, while it is alone, so that some room is left for the next one.
        """
        opened = len(self._opened)
        left = min(self._most - opened, self._most_without_stream - (opened - self._with_stream))
        if left <= 0:
            return False
        if not self._proxies.include(peer):
            whence = subscriber(peer)
            if self._of_one[whence] >= min(left, self._most_of_one):
                return False
            self._of_one[whence] += 1
        self._watch()
        return True

    def leave(self, peer: str, *, streaming: bool) -> None:
        """An admitted connection is closed."""
        if streaming:
            self._with_stream -= 1
        else:
            self._let_go(peer)

    def stream(self, peer: str, *, begins: bool) -> None:
        """A stream begins on an admitted connection, or ends while the connection stays open."""
        self._with_stream += 1 if begins else -1
        if begins:
            self._let_go(peer)
        elif not self._proxies.include(peer):
            self._of_one[subscriber(peer)] += 1

    def _let_go(self, peer: str) -> None:
        if not self._proxies.include(peer):
            whence = subscriber(peer)
            self._of_one[whence] -= 1
            if not self._of_one[whence]:
                del self._of_one[whence]

    def part(self, connection: Connection, peer: str) -> bool:
        """Whether a refused connection may stay until it is overdue or `parted`; an address may have half of these."""
        whence = subscriber(peer)
        left = MOST_PARTING - len(self._parting)
        if sum(each == whence for each in self._parting.values()) >= left:
            return False
        self._parting[connection] = whence
        self._watch()
        return True

    def parted(self, connection: Connection) -> None:
        """A refused connection that stayed is closed."""
        self._parting.pop(connection, None)

    def patience(self, peer: str) -> bool:
        """Whether one more refusal is sent at once; an address that gets too many waits for the next sweep."""
        whence = subscriber(peer)
        self._refused[whence] += 1
        return self._refused[whence] <= REFUSALS

    def hold(self, connection: Connection, peer: str, unsent: int) -> None:
        """So many bytes wait for a client to read them, until they are released.

        If the process then holds too much, it breaks off the fullest connections of the address that holds the most.
        """
        self.release(connection)
        whence = subscriber(peer)
        self._unsent[connection] = whence, unsent
        self._unsent_of[whence] += unsent
        while self._unsent_of.total() > MOST_UNSENT_BYTES:
            fullest = max(self._unsent, key=self._fullness)
            metrics.observe_cut(*self._unsent[fullest], "memory")
            self.release(fullest)
            fullest.break_off()

    def _fullness(self, connection: Connection) -> tuple[int, int]:
        whence, unsent = self._unsent[connection]
        return self._unsent_of[whence], unsent

    def release(self, connection: Connection) -> None:
        """The client has read what was held, or is gone."""
        if held := self._unsent.pop(connection, None):
            whence, unsent = held
            self._unsent_of[whence] -= unsent
            if not self._unsent_of[whence]:
                del self._unsent_of[whence]

    def _watch(self) -> None:
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        now = self._loop.time()
        # First, because ending a connection may fail, and the others must still be swept again.
        self._sweeping = bool(self._opened or self._parting)
        if self._sweeping:
            self._loop.call_later(SWEEP_SECONDS, self._sweep)
        self._refused.clear()
        for connection in [each for each in (*self._opened, *self._parting) if each.due <= now]:
            connection.overdue()
