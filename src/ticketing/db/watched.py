"""A psycopg connection that stays registered with the event loop, and closes when the server falls silent.

psycopg registers and unregisters for every wait: with uvloop some ten system calls per statement, a tenth of the cost
of a request. And if the server is frozen or cut off, psycopg waits for as long as TCP does. Nothing else differs:
statements, errors and cancellation are psycopg's.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from typing import Any, TypeVar

from psycopg import AsyncConnection, errors
from psycopg.abc import PQGen
from psycopg.pq import ConnStatus, TransactionStatus
from psycopg.waiting import Ready, Wait

RV = TypeVar("RV")
CANCEL_SECONDS = 5.0
SILENCE_SECONDS = 6.0
"""How long we wait to hear from PostgreSQL. If it can be reached, it ends statements earlier (pool.LIMITS)."""


class WatchedConnection(AsyncConnection[Any]):
    """A psycopg.AsyncConnection for one event loop."""

    _watched: int | None = None
    _loop: asyncio.AbstractEventLoop
    _woken: asyncio.Future[Ready] | None = None
    _silent_since = 0.0
    _listening: asyncio.TimerHandle | None = None

    async def wait(
        self,
        gen: PQGen[RV],
        interval: float = 0.1,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> RV:
        """Run psycopg's work on the connection until it is done."""
        if timeout is not None:
            self.unwatch()
            return await super().wait(gen, interval, timeout)
        try:
            return await self._run(gen, next(gen))
        except StopIteration as done:
            result: RV = done.value
            return result
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            await self._cancel(gen)
            raise
        finally:
            if self.pgconn.status != ConnStatus.OK:
                self.unwatch()

    async def close(self) -> None:
        """As psycopg's, but first unwatch: the file's number may soon belong to another file."""
        self.unwatch()
        if self._listening is not None:
            self._listening.cancel()
        await super().close()

    async def _run(self, gen: PQGen[RV], wanted: Wait) -> RV:
        try:
            while True:
                wanted = gen.send(await self._ready(wanted))
        except StopIteration as done:
            result: RV = done.value
            return result

    async def _ready(self, wanted: Wait) -> Ready:
        loop = asyncio.get_running_loop()
        self._woken = loop.create_future()
        assert self._watched is None or self._loop is loop, "a connection is for one event loop"
        self._watched, self._loop = self.pgconn.socket, loop
        try:
            # On a file that is watched already this is no system call.
            loop.add_reader(self._watched, self._wake, Ready.R)
        except RuntimeError:
            # uvloop reports a reset once, and watches no more. What is left to read, and the end, we still want to see.
            loop.remove_reader(self._watched)
            loop.add_reader(self._watched, self._wake, Ready.R)
        if wanted & Wait.W:
            loop.add_writer(self._watched, self._wake, Ready.W)
        self._silent_since = loop.time()
        if self._listening is None:
            self._listening = loop.call_later(SILENCE_SECONDS, self._listen)
        try:
            return await self._woken
        finally:
            self._woken = None
            if wanted & Wait.W:
                loop.remove_writer(self._watched)

    def _wake(self, ready: Ready) -> None:
        if self._woken is None:
            # Nobody waits: the server is closing, or sends something that can wait for the next statement.
            self.unwatch()
        elif not self._woken.done():
            self._woken.set_result(ready)

    def _listen(self) -> None:
        """If a statement waits, hang up after SILENCE_SECONDS of silence. One timer serves many statements."""
        self._listening = None
        if self._woken is None:
            return
        loop = asyncio.get_running_loop()
        rest = self._silent_since + SILENCE_SECONDS - loop.time()
        if rest > 0:
            self._listening = loop.call_later(rest, self._listen)
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        # Not by cancelling: that would ask the server, and wait for its answer.
        with suppress(errors.OperationalError, OSError), socket.socket(fileno=os.dup(self.pgconn.socket)) as line:
            line.shutdown(socket.SHUT_RDWR)
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(Ready.R)

    def unwatch(self) -> None:
        """Remove the file from the loop, as soon as it is closed: else the next file of its number is never woken."""
        if self._watched is not None:
            assert self._loop is asyncio.get_running_loop(), "a connection is for one event loop"
            self._loop.remove_reader(self._watched)
            self._watched = None

    async def _cancel(self, gen: PQGen[Any]) -> None:
        """Cancel the statement, for which nobody waits any more; if that fails, close the connection."""
        if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
            return
        try:
            await self.cancel_safe(timeout=CANCEL_SECONDS)
            async with asyncio.timeout(CANCEL_SECONDS):
                await self._run(gen, gen.send(Ready.NONE))
        except (errors.QueryCanceled, StopIteration):
            pass
        except BaseException as error:
            self.pgconn.finish()
            if not isinstance(error, Exception):
                raise
