"""Admission: how many requests are worked on at once, in all and per client. Those beyond are refused at once.

A queue would only make everybody wait; a refusal costs a tenth of an answer and tells the client when to come back.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Hashable
from contextvars import ContextVar
from typing import Any

from ticketing.contract.problems import Problem

RETRY_SECONDS = (1, 3)
"""Refused clients come back within this time, spread at random."""
USER_TIMES, ADDRESS_TIMES = 1, 3
"""A user, or an address, may hold this many times the free places: alone, half of all, or three quarters.

The more others hold, the less that is, so a place is always free for the next client.
"""
LATE_SECONDS = 1.0
MOST_KEPT = 10_000


class Overloaded(Problem):
    """There are more requests at once than can be answered soon."""

    slug = "unavailable"

    def __init__(
        self, detail: str = "There are more requests than can be answered soon. Try again in a moment."
    ) -> None:
        seconds = random.randint(*RETRY_SECONDS)  # noqa: S311
        super().__init__(detail, headers={"Retry-After": str(seconds)})


class Patience:
    """Delays refusals to clients that are refused again and again: beyond a rate per second, after a first burst.

    Such a client waits instead of asking again, and holds nothing but its connection.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._seconds_each = 1 / rate
        self._most_ahead = burst / rate
        self._ahead: dict[Hashable, float] = {}

    def lost(self, who: Hashable) -> bool:
        """Count a refusal; return whether it is one too many, and must be sent late."""
        now = time.monotonic()
        if len(self._ahead) > MOST_KEPT:
            self._ahead = {each: until for each, until in self._ahead.items() if until > now}
        until = max(self._ahead.get(who, now), now) + self._seconds_each
        if until > now + self._most_ahead:
            return True
        self._ahead[who] = until
        return False


class Admission:
    """The places of an application; without a limit some are always free."""

    def __init__(self, limit: int | None) -> None:
        self._limit = math.inf if limit is None else limit
        self._held: dict[str, int] = {}
        self._patience = Patience(limit or 1, 8 * (limit or 1))
        self.taken = 0

    def take(self, holders: tuple[str, ...]) -> None:
        """Take one more place for all these holders."""
        self.taken += 1
        for holder in holders:
            self._held[holder] = self._held.get(holder, 0) + 1

    def hold(self, holder: str, times: int) -> None:
        """Add a holder to a taken place. Raises Overloaded if there are too few places, or the holder now has more than
        its share: `times` the free ones.
        """
        held = self._held[holder] = self._held.get(holder, 0) + 1
        if held > times * (self._limit - self.taken):
            raise self._refusal(holder)

    def give(self, holders: tuple[str, ...]) -> None:
        """Give a place back."""
        self.taken -= 1
        for holder in holders:
            left = self._held[holder] - 1
            if left:
                self._held[holder] = left
            else:
                del self._held[holder]

    def _refusal(self, holder: str) -> Overloaded:
        if self.taken > self._limit:
            return Overloaded()
        refusal = Overloaded(
            "You have more requests under way than your share of what can be answered soon. Wait for some of them."
        )
        refusal.late = self._patience.lost(holder)
        return refusal


class Place:
    """The place of one request: taken while the request is worked on.

    It is free while we wait for the client, so that slow clients keep nobody out; while we find out who the client is;
    and once the answer has begun, so that streams do not hold places.
    """

    __slots__ = ("_admission", "_answered", "_holders", "_receive")

    def __init__(self, admission: Admission, receive: Any) -> None:
        self._admission, self._receive = admission, receive
        self._answered = False
        self._holders: tuple[str, ...] = ()
        admission.take(self._holders)

    @property
    def asker(self) -> str | None:
        """Whose request it is: an address, and, once known, a user."""
        return self._holders[-1] if self._holders else None

    def hold(self, holder: str, times: int) -> None:
        """Count the place as the holder's. Raises Overloaded if the holder has too many for what is free."""
        self._holders = (*self._holders, holder)
        self._admission.hold(holder, times)

    async def receive(self) -> Any:
        """The client's next message."""
        self.step_out()
        try:
            return await self._receive()
        finally:
            self.step_in()

    def step_out(self) -> None:
        """Give the place back until `step_in()`."""
        if not self._answered:
            self._admission.give(self._holders)

    def step_in(self) -> None:
        """Take it again, even if none is free."""
        if not self._answered:
            self._admission.take(self._holders)

    def leave(self) -> None:
        """Give the place back for good; doing so again changes nothing."""
        if not self._answered:
            self._answered = True
            self._admission.give(self._holders)


PLACE: ContextVar[Place | None] = ContextVar("place", default=None)
"""The current request's place, for code that queues or waits."""
