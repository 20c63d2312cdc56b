"""Incomplete bodies: how long each may take, and how many bytes of them a process holds in all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from ticketing.contract.admission import Overloaded
from ticketing.contract.exchange import Exchange
from ticketing.contract.forwarded import subscriber
from ticketing.contract.problems import Problem, RequestTimeout

MOST_ARRIVING_BYTES = 64 * 1024 * 1024
"""Most bytes held of incomplete bodies: some fifty of the longest; most bodies come in one piece."""

T = TypeVar("T")

Grow = Callable[[int], None]
"""Called with the size of each piece, or, negated, with the bytes no longer held. Raises Overloaded."""


class Arrivals:
    """The bodies of an application that come in pieces, and hold so many bytes at most.

    When they exceed the limit, the largest are dropped, of the user that has the most, of the address that has the
    most. So a modest client's bodies arrive, whatever others send.
    """

    def __init__(self, most_bytes: int | None = None) -> None:
        self._most_bytes = most_bytes
        self._begun: set[_Arrival] = set()
        self._held: Counter[str | None] = Counter()
        self._bytes = 0

    async def whole(self, exchange: Exchange, read: Callable[[Grow], Awaitable[T]], seconds: float | None = None) -> T:
        """The whole body, read within so many seconds. Raises RequestTimeout, Overloaded, and what `read` raises."""
        arrival = _Arrival(exchange)
        # Like asyncio.timeout, which takes four times as long.
        timer = seconds and asyncio.get_running_loop().call_later(seconds, arrival.end, partial(_too_slow, seconds))
        try:
            return await read(partial(self._grow, arrival))
        except asyncio.CancelledError as cancelled:
            raise arrival.refusal(cancelled) from None
        finally:
            if timer:
                timer.cancel()
            self._let_go(arrival)

    def _grow(self, arrival: _Arrival, size: int) -> None:
        self._begun.add(arrival)
        arrival.size += size
        self._count(arrival, size)
        while self._bytes > (self._most_bytes or MOST_ARRIVING_BYTES):
            fullest = max(self._begun, key=self._fullness)
            self._let_go(fullest)
            if fullest is arrival:
                raise _too_much()
            fullest.end(_too_much)

    def _let_go(self, arrival: _Arrival) -> None:
        if arrival in self._begun:
            self._begun.remove(arrival)
            self._count(arrival, -arrival.size)

    def _count(self, arrival: _Arrival, size: int) -> None:
        self._bytes += size
        for holder in (arrival.address, arrival.user):
            self._held[holder] += size
            if not self._held[holder]:
                del self._held[holder]

    def _fullness(self, arrival: _Arrival) -> tuple[int, int, int]:
        return self._held[arrival.address], self._held[arrival.user], arrival.size


class _Arrival:
    """One body, and the task that waits for it."""

    __slots__ = ("_refusal", "_task", "address", "size", "user")

    def __init__(self, exchange: Exchange) -> None:
        self.address, self.user = subscriber(exchange.origin.address), exchange.actor_id
        self.size = 0
        self._task = asyncio.current_task()
        # Made when it is raised: the traceback of a stored exception would keep what was read in memory.
        self._refusal: Callable[[], Problem] | None = None

    def end(self, refusal: Callable[[], Problem]) -> None:
        """Stop reading it."""
        if self._refusal is None and self._task is not None:
            self._refusal = refusal
            self._task.cancel()

    def refusal(self, cancelled: asyncio.CancelledError) -> BaseException:
        """The problem passed to `end`, if that cancelled the task."""
        if self._refusal is None or self._task is None or self._task.uncancel():
            return cancelled
        return self._refusal()


def _too_slow(seconds: float) -> Problem:
    return RequestTimeout(f"The body must arrive within {seconds} s.", headers={"Connection": "close"})


def _too_much() -> Problem:
    problem = Overloaded(
        "More is being sent at once than the service can hold, most of it by you. Send one body after the other."
    )
    problem.headers = {**problem.headers, "Connection": "close"}
    return problem
