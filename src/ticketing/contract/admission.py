"""How many requests are worked on at once: those beyond are refused at once, before queues can grow.

A queue only makes everybody wait; a refusal costs a tenth of an answer and tells the client when to come back.
"""

from __future__ import annotations

import random
from typing import Any

from ticketing.contract.problems import Problem

RETRY_SECONDS = (1, 3)
"""Whoever is refused comes back within this time, not all of them together."""


class Overloaded(Problem):
    """More is asked for at once than can be answered soon."""

    slug = "unavailable"

    def __init__(self) -> None:
        seconds = random.randint(*RETRY_SECONDS)  # noqa: S311
        super().__init__(
            "There are more requests than can be answered soon. Try again in a moment.",
            headers={"Retry-After": str(seconds)},
        )


class Admission:
    """The places of an application; without a limit there are always some left."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self.taken = 0

    @property
    def full(self) -> bool:
        """Whether the next request has to be refused."""
        return self._limit is not None and self.taken >= self._limit


class Place:
    """The place of one request: taken while it is worked on.

    It is not while we wait for the client, so that slow ones keep nobody out, nor once the answer has begun, so that
    streams do not.
    """

    __slots__ = ("_admission", "_answered", "_receive", "_send")

    def __init__(self, admission: Admission, receive: Any, send: Any) -> None:
        self._admission, self._receive, self._send = admission, receive, send
        self._answered = False
        admission.taken += 1

    async def receive(self) -> Any:
        """The client's next message."""
        if self._answered:
            return await self._receive()
        self._admission.taken -= 1
        try:
            return await self._receive()
        finally:
            self._admission.taken += 1

    async def send(self, message: Any) -> None:
        """Answer."""
        self.leave()
        await self._send(message)

    def leave(self) -> None:
        """Give the place back; again is no change."""
        if not self._answered:
            self._answered = True
            self._admission.taken -= 1
