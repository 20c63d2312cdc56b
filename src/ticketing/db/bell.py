"""The bell: wakes every process that waits for a commit. It carries no data.

Code that has committed calls `ring()`; readers of the event log and the job relays wait for it. A ring may be lost, so
they also look from time to time without one.

Statements themselves never NOTIFY: such a commit takes a server-wide lock, which defeats group commit. The bell instead
sends at most one small transaction in 25 milliseconds, on a connection of its own, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Self
from weakref import WeakKeyDictionary

import psycopg
from psycopg import AsyncConnection

from ticketing.db import pool

CHANNEL = "ticketing"
PAUSE_SECONDS = 0.025
"""The least time between two rings that a process sends, or hears; commits in between share the second one. So nobody
looks more than forty times a second, however many processes ring."""
RECONNECT_SECONDS = 0.5

log = logging.getLogger(__name__)
_ringer: _Ringer | None = None


def ring() -> None:
    """Wake everybody who waits, soon: the first ring goes out at once. Outside `ringing` it does nothing."""
    if _ringer is not None:
        _ringer.ring()


@asynccontextmanager
async def ringing(url: str) -> AsyncIterator[None]:
    """While the block runs, deliver `ring()`, from any thread."""
    global _ringer
    before, _ringer = _ringer, _Ringer(url)
    async with _running(_ringer.run()):
        try:
            yield
        finally:
            _ringer = before


class Bell:
    """The listening end: `async with Bell(url) as bell: await bell.wait(0.5)`, by any number of tasks."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._has_rung = False
        self._quiet_until = 0.0
        self._sounding: asyncio.TimerHandle | None = None
        self._unheard: WeakKeyDictionary[asyncio.Task[Any], asyncio.Event] = WeakKeyDictionary()

    async def __aenter__(self) -> Self:
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        await _cancelled(self._listening)
        if self._sounding:
            self._sounding.cancel()

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109 (a time-out is no error here)
        """Wait until it rings, or for so many seconds; return whether it rang.

        Each task hears every ring: a ring while the task is busy ends its next wait at once.
        """
        task = asyncio.current_task()
        assert task is not None
        unheard = self._of(task)
        if not unheard.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await unheard.wait()
        rang = unheard.is_set()
        unheard.clear()
        return rang

    def wake(self, task: asyncio.Task[Any]) -> None:
        """Ring at once, for this task only."""
        self._of(task).set()

    def _of(self, task: asyncio.Task[Any]) -> asyncio.Event:
        if task not in self._unheard:
            self._unheard[task] = asyncio.Event()
            if self._has_rung:
                self._unheard[task].set()
        return self._unheard[task]

    def _heard(self) -> None:
        loop = asyncio.get_running_loop()
        if self._sounding is None:
            self._sounding = loop.call_at(max(self._quiet_until, loop.time()), self._sound)

    def _sound(self) -> None:
        self._sounding = None
        self._quiet_until = asyncio.get_running_loop().time() + PAUSE_SECONDS
        self._has_rung = True
        for unheard in self._unheard.values():
            unheard.set()

    async def _listen(self) -> None:
        while True:
            try:
                async with await _connect(self._url) as conn:
                    await conn.execute(f"listen {CHANNEL}")
                    self._heard()  # Rings may have been missed before.
                    async for _ in conn.notifies():
                        self._heard()
            except psycopg.Error as error:
                log.debug("The bell is out of hearing: %s", error)
            await asyncio.sleep(RECONNECT_SECONDS)


class _Ringer:
    """The ringing end: one per process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.get_running_loop()
        self._asked = False
        self._wanted = asyncio.Event()

    def ring(self) -> None:
        if not self._asked:
            self._asked = True
            # It raises if the loop has ended, while another thread may still be at work.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wanted.set)

    async def run(self) -> None:
        while True:
            await self._wanted.wait()
            try:
                async with await _connect(self._url) as conn:
                    while True:
                        await self._ring_once(conn)
            except psycopg.Error as error:
                log.debug("The bell cannot be rung: %s", error)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _ring_once(self, conn: AsyncConnection[Any]) -> None:
        await self._wanted.wait()
        self._wanted.clear()
        self._asked = False
        await conn.execute(f"notify {CHANNEL}")
        await asyncio.sleep(PAUSE_SECONDS)


async def _connect(url: str) -> AsyncConnection[Any]:
    parameters = pool.parameters(url)
    # A ring needs no flush to disk. Not with SET, which PgBouncer would leave to the next client.
    parameters["options"] += " -c synchronous_commit=off"
    return await AsyncConnection.connect(**parameters)


@asynccontextmanager
async def _running(work: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await _cancelled(task)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
