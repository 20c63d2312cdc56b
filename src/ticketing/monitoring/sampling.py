"""Samples of a process: its pool, its running requests, outages that are over, and its readiness."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg
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
READY = Gauge(
    "ticketing_ready",
    "Whether this API process is ready: 1, or 0 while /health/ready answers 503.",
    ["role"],  # Without a label, workers would tell of it too.
    multiprocess_mode="livemin",
)
SAMPLE_SECONDS = 1.0
READY_SECONDS = 5.0


@asynccontextmanager
async def sampled(
    in_flight: Callable[[], int] = lambda: 0, obstacle: Callable[[], Awaitable[str | None]] | None = None
) -> AsyncIterator[None]:
    """Sample this process, its number of running requests, and what prevents it from working, while the block runs."""
    BUILD.labels(__version__, platform.python_version()).set(1)
    tasks = {asyncio.create_task(_sample(in_flight))}
    if obstacle:
        tasks.add(asyncio.create_task(_sample_readiness(obstacle)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _sample(in_flight: Callable[[], int]) -> None:
    while True:
        outages.settle()
        size, most = pool.figures()
        POOL.set(size)
        IN_USE.set(most)
        IN_FLIGHT.set(in_flight())
        await asyncio.sleep(SAMPLE_SECONDS)


async def _sample_readiness(obstacle: Callable[[], Awaitable[str | None]]) -> None:
    while True:
        try:
            READY.labels("api").set(await obstacle() is None)
        except psycopg.Error:
            READY.labels("api").set(0)
        await asyncio.sleep(READY_SECONDS)
