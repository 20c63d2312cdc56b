"""The health of the service, as this process sees it: what `ticketing doctor` says, looked at once for all who ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from weakref import WeakKeyDictionary

from ticketing.access import policy
from ticketing.access.actors import Actor
from ticketing.ground import moments
from ticketing.ground.config import Settings, settings
from ticketing.monitoring import checks
from ticketing.monitoring.checks import Check

FRESH_SECONDS = 5.0
"""For how long a look at everything is told again."""
PATIENCE_SECONDS = 10.0
"""How long PostgreSQL, and beside it Redis, may be looked at."""


async def get(actor: Actor) -> dict[str, Any]:
    """The contract's Health; admins only. Whoever asks while somebody looks is told of that. Raises Forbidden."""
    policy.require_admin(actor)
    loop = asyncio.get_running_loop()
    look = _looks.get(loop)
    if look is None or look.is_old():
        look = _looks[loop] = _Look(time.monotonic(), datetime.now(UTC), asyncio.create_task(_everything(settings())))
    # Of two findings of one name the later one counts, as when PostgreSQL goes away meanwhile.
    found = {check.what: check for check in await asyncio.shield(look.task)}.values()
    statuses = {check.status for check in found}
    return {
        "status": next((status for status in ("failed", "warning") if status in statuses), "ok"),
        "checked_at": moments.written(look.at),
        "checks": [
            {
                "name": check.what,
                "status": check.status,
                "detail": check.finding[:1].upper() + check.finding[1:],
                "hint": check.hint,
            }
            for check in found
        ],
    }


@dataclass(frozen=True, slots=True)
class _Look:
    """When everything was looked at, and what was found."""

    began: float
    at: datetime
    task: asyncio.Task[list[Check]]

    def is_old(self) -> bool:
        """Whether it is time to look again: somebody may have mended what was found."""
        if not self.task.done():
            return False
        return time.monotonic() > self.began + FRESH_SECONDS or self.task.cancelled() or bool(self.task.exception())


async def _everything(chosen: Settings) -> list[Check]:
    database, redis = await asyncio.gather(
        _bounded("PostgreSQL", checks.database(chosen)), _bounded("Redis", checks.redis(chosen))
    )
    return [*checks.configured(chosen), checks.mail(chosen), *database, *redis]


async def _bounded(what: str, found: AsyncIterator[Check]) -> list[Check]:
    """What is found in time."""
    told: list[Check] = []
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for check in found:
                told.append(check)  # noqa: PERF401 - what was found before the time is over, counts.
    except TimeoutError:
        told.append(
            Check(
                what,
                False,
                f"not everything could be looked at within {PATIENCE_SECONDS:.0f} s.",
                "See what it is busy with, and run `ticketing doctor`.",
            )
        )
    return told


_looks: WeakKeyDictionary[asyncio.AbstractEventLoop, _Look] = WeakKeyDictionary()
