"""Room for streams: how many a process has open, in all and for each user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ticketing.access.actors import Actor
from ticketing.contract import Problem
from ticketing.ground.config import Settings
from ticketing.ground.errors import TooManyStreams


class Full(Problem):
    """The process has as many streams open as it may; another one may have room."""

    slug = "unavailable"

    def __init__(self) -> None:
        super().__init__("There are as many streams open as there may be. Try again.", headers={"Retry-After": "5"})


class Room:
    """The streams that may be open at once, and those that are."""

    def __init__(self, settings: Settings) -> None:
        self._most = settings.streams
        self._most_per_user = settings.streams_per_user
        self._taken: Counter[Any] = Counter()

    @contextmanager
    def taken(self, actor: Actor) -> Iterator[None]:
        """Take the room of one stream while the block runs. Raises TooManyStreams, Full."""
        if self._taken.total() >= self._most:
            raise Full
        if self._taken[actor.id] >= self._most_per_user:
            raise TooManyStreams(
                f"You have {self._most_per_user} streams open, which is as many as you may. "
                "Close one, or share one among your programs.",
                headers={"Retry-After": "5"},
            )
        self._taken[actor.id] += 1
        try:
            yield
        finally:
            self._taken[actor.id] -= 1
            if not self._taken[actor.id]:
                del self._taken[actor.id]
