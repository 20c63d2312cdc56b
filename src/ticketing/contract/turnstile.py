"""A fair semaphore: an asker may hold no more than a share, and those who wait are admitted in turn."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable

TIMES = 3
"""An asker may hold this many times the free places: alone, six of eight. So some are left for the next one."""

_NOBODY = object()


class Turnstile:
    """Like asyncio.Semaphore, but fair to those who ask for little. The asker None is not limited to a share."""

    def __init__(self, size: int, most: int | None = None) -> None:
        """`most` is how many an asker may hold at once, however many are free."""
        self._free = size
        self._most = size if most is None else most
        self._inside: dict[Hashable, int] = {}
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    def open_to(self, asker: Hashable) -> bool:
        """Whether the asker may enter at once."""
        inside = self._inside.get(asker, 0)
        return self._free > 0 and (asker is None or inside < min(self._most, TIMES * self._free))

    def enter(self, asker: Hashable) -> bool:
        """Enter if that is possible at once; return whether it was."""
        if not self.open_to(asker):
            return False
        self._free -= 1
        self._inside[asker] = self._inside.get(asker, 0) + 1
        return True

    async def acquire(self, asker: Hashable = None) -> None:
        """Enter, waiting if necessary."""
        if self.enter(asker):
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(asker, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(asker)
            else:
                self._forget(asker, turn)
            raise

    def release(self, asker: Hashable = None) -> None:
        """Leave, and admit the next who may enter."""
        self._free += 1
        if left := self._inside[asker] - 1:
            self._inside[asker] = left
        else:
            del self._inside[asker]
        while self._waiting and (asker := self._next()) is not _NOBODY:
            turns = self._waiting[asker]
            turn = turns.popleft()
            if turns:
                self._waiting.move_to_end(asker)
            else:
                del self._waiting[asker]
            if not turn.done():
                self.enter(asker)
                turn.set_result(None)

    def _next(self) -> Hashable:
        """The next asker in turn that is below its share."""
        return next(filter(self.open_to, self._waiting), _NOBODY)

    def _forget(self, asker: Hashable, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(asker)
        if turns and turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[asker]
