"""All connections of a process: how many there may be, in all and from one address, and how long each may wait."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Collection
from functools import lru_cache
from ipaddress import ip_network
from typing import Protocol as Interface

from ticketing.config import Settings
from ticketing.wire import files

MOST_UNSENT_BYTES = 64 * 1024 * 1024
"""What a process holds of answers that clients have yet to take, besides some 64 KiB a connection."""
SWEEP_SECONDS = 1.0
"""How often those that keep us waiting are looked for: one timer for all of them."""

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
        self._most_of_one = settings.connections_per_address
        self._of_one: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._unsent: dict[Connection, tuple[str, int]] = {}
        self._unsent_of: Counter[str] = Counter()
        self._proxies = settings.trusted_proxies
        self._loop = loop
        self._sweeping = False

    def admit(self, peer: str) -> bool:
        """Whether one more may be open; it must `leave` then. Proxies that we trust speak for many clients."""
        if len(self._opened) >= self._most:
            return False
        if not self._proxies.include(peer):
            whence = subscriber(peer)
            if self._of_one[whence] >= self._most_of_one:
                return False
            self._of_one[whence] += 1
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(SWEEP_SECONDS, self._sweep)
        return True

    def leave(self, peer: str) -> None:
        """One that was admitted is closed."""
        if not self._proxies.include(peer):
            whence = subscriber(peer)
            self._of_one[whence] -= 1
            if not self._of_one[whence]:
                del self._of_one[whence]

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

    def _sweep(self) -> None:
        now = self._loop.time()
        self._refused.clear()
        for connection in [each for each in self._opened if each.due <= now]:
            connection.overdue()
        self._sweeping = bool(self._opened)
        if self._sweeping:
            self._loop.call_later(SWEEP_SECONDS, self._sweep)


@lru_cache(maxsize=1024)
def subscriber(peer: str) -> str:
    """Whose an address is: a subscriber has a network of IPv6 with 64 bits at least (RFC 6177), or an IPv4 address."""
    return str(ip_network((peer.partition("%")[0], 64), strict=False)) if ":" in peer else peer
