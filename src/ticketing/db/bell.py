"""The bell: wakes every process that waits for something to be committed. A wake-up only; it says nothing.

Whoever committed something calls `ring()`; whoever reads the event log or takes jobs waits for it. A ring may be lost,
so everybody also looks on their own from time to time.

Statements themselves never NOTIFY: each such commit takes a lock that there is once in the whole server, and so undoes
group commit. Here that is at most one small transaction in 25 milliseconds, on a connection of its own, and nobody
waits for it.
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
"""The least time between two rings of one process, and between two that a process hears: what is committed in between
shares the second one. So however many processes ring, nobody looks more than forty times a second."""
RECONNECT_SECONDS = 0.5

log = logging.getLogger(__name__)
_ringer: _Ringer | None = None


def ring() -> None:
    """Wake who waits, soon: the first ring goes out at once. Outside of `ringing` nothing happens."""
    if _ringer is not None:
        _ringer.ring()


@asynccontextmanager
async def ringing(url: str) -> AsyncIterator[None]:
    """Let `ring()` be heard for as long as the block runs, from whichever thread it is called."""
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
        """Wait until it rings, or for so many seconds; gives whether it rang.

        Each task hears every ring: one that came while the task was busy ends its next wait at once.
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
        """Ring for one task of this process alone, and at once."""
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
                    self._heard()  # Nobody knows what was rung before.
                    async for _ in conn.notifies():
                        self._heard()
            except psycopg.Error as error:
                log.debug("The bell is out of hearing: %s", error)
            await asyncio.sleep(RECONNECT_SECONDS)


class _Ringer:
    """The ringing end: one for each process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.get_running_loop()
        self._asked = False
        self._wanted = asyncio.Event()

    def ring(self) -> None:
        if not self._asked:
            self._asked = True
            # It raises if the loop has ended, as the thread of another one may still be at work.
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
    # A ring is worth no flush to the disk. Not by SET, which PgBouncer would leave to the next client.
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
