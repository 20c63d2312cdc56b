"""Where long bodies are worked on: beside the event loop, one at a time, their senders by turns.

Composing a megabyte of text takes tens of milliseconds, and a client may send a hundred of those at once. In a thread
they take no more than a share of the interpreter from all other requests, whoever sends them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ticketing.contract.exchange import Exchange
from ticketing.contract.turnstile import Turnstile

LONG_BYTES = 4 * 1024
"""A longer body is worked on here. A shorter one costs less than the rest of its request."""

T = TypeVar("T")


class Desk:
    """The desk of an application."""

    def __init__(self) -> None:
        self._turnstile = Turnstile(1)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bodies")

    async def done(self, exchange: Exchange, size: int, work: Callable[[], T]) -> T:
        """What `work` returns of a body of so many bytes. Raises what it raises."""
        if size <= LONG_BYTES:
            return work()
        asker = exchange.place.asker
        await self._turnstile.acquire(asker)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._turnstile.release(asker)
