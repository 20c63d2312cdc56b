"""Declarations of background work: the kinds of jobs, their schedules, and the loops beside them."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeVar

from cronsim import CronSim

if TYPE_CHECKING:
    from ticketing.jobs.job import Job

Handler = Callable[["Job"], Awaitable[None]]
Loop = Callable[[], Awaitable[bool]]
Missed = Literal["each", "last"]
H = TypeVar("H", bound=Handler)
L = TypeVar("L", bound=Loop)

DEFAULT_QUEUE = "default"
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job: its handler, queue and limits."""

    name: str
    run: Handler
    queue: str
    priority: int
    max_attempts: int
    timeout: float
    group_limit: int | None
    shown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """When jobs of a kind are made by themselves, in UTC."""

    name: str
    cron: str
    kind: str
    missed: Missed = "each"

    def after(self, moment: datetime) -> datetime:
        """The schedule's first time after this."""
        return next(CronSim(self.cron, moment))

    def last(self, moment: datetime) -> datetime:
        """The schedule's latest time up to then."""
        return next(CronSim(self.cron, moment + timedelta(microseconds=1), reverse=True))


KINDS: dict[str, Kind] = {}
SCHEDULES: dict[str, Schedule] = {}
LOOPS: dict[str, Loop] = {}


def handler(
    name: str,
    *,
    queue: str = DEFAULT_QUEUE,
    priority: int = 2,
    max_attempts: int = 20,
    timeout: float = 60.0,
    group_limit: int | None = None,
    shown: tuple[str, ...] = (),
) -> Callable[[H], H]:
    """Declare the handler of a kind of job.

    Priority 1 goes first, 4 last. A handler that takes longer than `timeout` seconds is cancelled, which counts as a
    failure. Of jobs in one group, at most `group_limit` run at once. `shown` are the arguments that operators see.
    """

    def declare(run: H) -> H:
        if name in KINDS:
            raise ValueError(f"There are two handlers of {name}.")
        KINDS[name] = Kind(name, run, queue, priority, max_attempts, timeout, group_limit, shown)
        return run

    return declare


def schedule(name: str, cron: str, *, missed: Missed = "each") -> Callable[[H], H]:
    """Make a job at every time of a cron expression in UTC.

    Times that were missed while no worker ran each become a job, or, with `missed="last"`, only the last one does: for
    sweeps, which do all the work there is whenever they run. A sweep still waiting for its first attempt covers later
    times as well. Write this decorator above `handler`. The job's only argument is its `slot`, the time it is for.
    """

    def declare(run: H) -> H:
        declared = next(kind.name for kind in KINDS.values() if kind.run is run)
        SCHEDULES[name] = Schedule(name, cron, declared, missed)
        return run

    return declare


def loop(name: str) -> Callable[[L], L]:
    """Declare a function that every worker calls at each ring of the bell, or every half second.

    It returns whether there is more to do at once. Several workers call it at the same time, so it must take a lock.
    """

    def declare(run: L) -> L:
        LOOPS[name] = run
        return run

    return declare


def kind(name: str) -> Kind:
    """A kind by its name. Raises KeyError if this process does not know it."""
    return KINDS[name]


def queues() -> list[str]:
    """Every queue that a kind names, and the default queue."""
    return sorted({DEFAULT_QUEUE, *(each.queue for each in KINDS.values())})


def pause(attempt: int) -> float:
    """Seconds to back off after a failed attempt: doubling up to an hour, with jitter."""
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(attempt - 1, 20))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 (nothing secret)
