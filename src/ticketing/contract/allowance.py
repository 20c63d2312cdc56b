"""How long a client may take to send or read a lot: some seconds, and more with each byte."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from time import monotonic
from typing import TypeVar

T = TypeVar("T")

LEAST_RATE = 16 * 1024
"""Bytes per second, once the first seconds are over."""


class Allowance:
    """The time that one client has left; None for no limit."""

    def __init__(self, seconds: float | None) -> None:
        self._left = seconds

    async def wait(self, work: Awaitable[T]) -> T:
        """The result of waiting for the client. Raises TimeoutError when its time is used up."""
        if self._left is None:
            return await work
        began = monotonic()
        try:
            async with asyncio.timeout(self._left):
                return await work
        finally:
            self._left -= monotonic() - began

    def earn(self, size: int) -> None:
        """Add the time for so many bytes."""
        if self._left is not None:
            self._left += size / LEAST_RATE
