"""Samples of a process, once a second: its pool, its running requests, and outages that are over."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from prometheus_client import Gauge

from ticketing import __version__
from ticketing.db import outages, pool

IN_FLIGHT = Gauge(
    "ticketing_http_requests_in_flight",
    "Requests that are being answered, open streams included.",
    multiprocess_mode="livesum",
)
POOL = Gauge(
    "ticketing_pool_connections", "Connections to PostgreSQL that the pools may hold.", multiprocess_mode="livesum"
)
IN_USE = Gauge(
    "ticketing_pool_in_use",
    "Most pool connections in use at once within the last second.",
    multiprocess_mode="livesum",
)
BUILD = Gauge(
    "ticketing_build_info",
    "Always 1; its labels say which release runs, on which Python.",
    ["version", "python"],
    multiprocess_mode="max",
)
SAMPLE_SECONDS = 1.0


@asynccontextmanager
async def sampled(in_flight: Callable[[], int] = lambda: 0) -> AsyncIterator[None]:
    """Sample this process and its number of running requests, every second while the block runs."""
    BUILD.labels(__version__, platform.python_version()).set(1)
    task = asyncio.create_task(_sample(in_flight))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _sample(in_flight: Callable[[], int]) -> None:
    while True:
        outages.settle()
        size, most = pool.figures()
        POOL.set(size)
        IN_USE.set(most)
        IN_FLIGHT.set(in_flight())
        await asyncio.sleep(SAMPLE_SECONDS)
