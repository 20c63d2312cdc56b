"""Injects faults on a schedule derived from a seed, and measures how long recovery from each takes."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chaos.faults import Fault, Target
from chaos.processes import await_
from chaos.stand import Stand

RECOVERY_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Inflicted:
    """A past fault, with its times on the monotonic clock."""

    name: str
    target: Target
    began: float
    mended: float
    #: Seconds from the repair until all was well again; None if it never was.
    recovery: float | None
    error: str | None = None


class Injector:
    """One thread per target: faults of one target come one after another, those of several overlap."""

    def __init__(
        self, stand: Stand, recovered: Callable[[Target, float], bool], seed: int, tell: Callable[[Inflicted], None]
    ) -> None:
        self._stand, self._recovered, self._seed, self._tell = stand, recovered, seed, tell
        self.inflicted: list[Inflicted] = []

    def run(self, faults: Sequence[Fault], count: int, seconds: float) -> None:
        """Inject so many faults within about so many seconds, every kind equally often."""
        lanes = _planned(faults, count, random.Random(self._seed))  # noqa: S311
        threads = [
            threading.Thread(target=self._lane, args=(lane, seconds / len(lane), f"{self._seed}-{target}"))
            for target, lane in lanes.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _lane(self, faults: Sequence[Fault], pause: float, seed: str) -> None:
        draw = random.Random(seed)  # noqa: S311
        began = time.monotonic()
        for number, fault in enumerate(faults):
            start = began + (number + draw.uniform(0, 0.6)) * pause
            time.sleep(max(0, start - time.monotonic()))
            self._inflict(fault, draw)

    def _inflict(self, fault: Fault, draw: random.Random) -> None:
        began, error = time.monotonic(), None
        try:
            fault.inflict(self._stand, draw)
        except Exception as failure:  # noqa: BLE001 - a lane goes on when the database of another one was just away
            error = f"{type(failure).__name__}: {failure}"
        mended = time.monotonic()
        try:
            recovery = await_(lambda: self._recovered(fault.target, mended), fault.name, RECOVERY_SECONDS)
        except TimeoutError:
            recovery = None
        inflicted = Inflicted(fault.name, fault.target, began, mended, recovery, error)
        self.inflicted.append(inflicted)
        self._tell(inflicted)


def _planned(faults: Sequence[Fault], count: int, draw: random.Random) -> dict[Target, list[Fault]]:
    """Whole rounds of all faults, each in its own order, and a part of one more; by target."""
    rounds = -(-count // len(faults))
    planned = [fault for _ in range(rounds) for fault in draw.sample(faults, len(faults))][:count]
    lanes: dict[Target, list[Fault]] = defaultdict(list)
    for fault in planned:
        lanes[fault.target].append(fault)
    return lanes
