"""All connections of a process: how many there may be, in all and from one address, and how long each may wait.

Those with an open stream are bounded as streams are, in all and for each user; the others by what is said here, so that
neither takes the room of the other.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Collection
from typing import Protocol as Interface

from ticketing.contract.forwarded import subscriber
from ticketing.ground.config import Settings
from ticketing.web.wire import files

MOST_UNSENT_BYTES = 64 * 1024 * 1024
"""What a process holds of answers that clients have yet to take, besides some 64 KiB a connection."""
SWEEP_SECONDS = 1.0
"""How often those that keep us waiting are looked for: one timer for all of them."""

MOST_PARTING = 32
"""Connections for which there was no room that are still there, for a moment, to be told so."""

REFUSALS = 10
"""Bad requests of one address, from sweep to sweep, that are told so at once: floods of them are slowed down."""


class Connection(Interface):
    """What is asked of one."""

    due: float
    """When, by the clock of the loop, we will have waited long enough; `math.inf` while the client waits for us."""

    def overdue(self) -> None:
        """End it."""

    def break_off(self) -> None:
        """End it with all that was not sent."""


NEVER = math.inf


class Connections:
    """Those that are open; each is told when it is overdue."""

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
        """Whether one more may be open; it must `leave` then. Proxies that we trust speak for many clients.

        An address may have as many as are left: a half while alone, and there is some room for whoever comes next.
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
        """One that was admitted is closed."""
        if streaming:
            self._with_stream -= 1
        else:
            self._let_go(peer)

    def stream(self, peer: str, *, begins: bool) -> None:
        """A stream begins on one that was admitted, or ends while it stays open."""
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
        """Whether one that was not admitted may stay until it is overdue, or `parted`; an address has half of them."""
        whence = subscriber(peer)
        left = MOST_PARTING - len(self._parting)
        if sum(each == whence for each in self._parting.values()) >= left:
            return False
        self._parting[connection] = whence
        self._watch()
        return True

    def parted(self, connection: Connection) -> None:
        """One that was not admitted is closed."""
        self._parting.pop(connection, None)

    def patience(self, peer: str) -> bool:
        """Whether one more refusal is told at once; an address that gets too many waits for the sweep with them."""
        whence = subscriber(peer)
        self._refused[whence] += 1
        return self._refused[whence] <= REFUSALS

    def hold(self, connection: Connection, peer: str, unsent: int) -> None:
        """So many bytes wait for a client to take them, until they are released.

        If that is too much for the process, those go that have the most, of the address that has the most.
        """
        self.release(connection)
        whence = subscriber(peer)
        self._unsent[connection] = whence, unsent
        self._unsent_of[whence] += unsent
        while self._unsent_of.total() > MOST_UNSENT_BYTES:
            fullest = max(self._unsent, key=self._fullness)
            self.release(fullest)
            fullest.break_off()

    def _fullness(self, connection: Connection) -> tuple[int, int]:
        whence, unsent = self._unsent[connection]
        return self._unsent_of[whence], unsent

    def release(self, connection: Connection) -> None:
        """Its client took what was held, or is gone."""
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
        # First, as what ends one connection may fail, and all others are looked at again.
        self._sweeping = bool(self._opened or self._parting)
        if self._sweeping:
            self._loop.call_later(SWEEP_SECONDS, self._sweep)
        self._refused.clear()
        for connection in [each for each in (*self._opened, *self._parting) if each.due <= now]:
            connection.overdue()
