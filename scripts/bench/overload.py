"""Goodput under five times the admitted load, relative to the peak, and how fast the rest is refused.

    python scripts/bench/overload.py [--rounds N]

Clients honour `Retry-After`. Goodput is counted per processor second of the service, because load and service share the
machine; the figures are medians of the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos.crowd import Answer, Crowd
from chaos.stand import Stand, standing
from ticketing import app
from ticketing.ground.config import Settings

ADMITTED = app.REQUESTS_A_CONNECTION * Settings(database_url="").pool_size


def main() -> None:
    """Take turns at half the admitted load and at five times as much, and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    parts, halves, slowest = [], [], []
    with standing(workers=0) as stand:
        for _ in range(rounds):
            peak, _ = turn(stand, ADMITTED // 2, 2)
            goodput, refused = turn(stand, ADMITTED * 5, 4)
            parts.append(goodput / peak)
            halves.append(refused[len(refused) // 2])
            slowest.append(refused[int(len(refused) * 0.99)])
    Console().print(
        f"{ADMITTED * 5} clients, {ADMITTED} admitted: goodput {statistics.median(parts):.0%} of the peak"
        f" ({min(parts):.0%} to {max(parts):.0%}); refusals p50 {statistics.median(halves) * 1e3:.0f} ms,"
        f" p99 {statistics.median(slowest) * 1e3:.0f} ms"
    )


def turn(stand: Stand, clients: int, seconds: float) -> tuple[float, list[float]]:
    """Answers per processor second of the service, and the durations of refusals, sorted."""
    process = psutil.Process(stand.apis[0].pid)

    async def load() -> list[Answer]:
        crowd = Crowd(stand.urls[0], "GET /api/v1/projects", stand.token)
        await crowd.gather(clients)
        try:
            return await crowd.ask_for(seconds)
        finally:
            crowd.leave()

    before = process.cpu_times()
    answers = asyncio.run(load())
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    answered = sum(status == 200 for status, _, _ in answers)
    return answered / used, sorted(took for status, _, took in answers if status == 503)


if __name__ == "__main__":
    main()
