"""Whose tokens these are: looked up together, so that those that nobody knows keep one connection busy at most."""

from __future__ import annotations

import asyncio
import time
from weakref import WeakKeyDictionary

from ticketing.contract.admission import PLACE
from ticketing.db import pool, sql

MOST_AT_ONCE = 500


async def identity(digest: bytes) -> sql.Identity | None:
    """Whose token has this hash, and why it holds no longer, if it does not; None if nobody knows it.

    While one statement is under way, all that come wait for the next one, and hold no place. Nothing is remembered of
    what was not found, so a token works from the moment it is made, in every process. Raises Unavailable.
    """
    loop = asyncio.get_running_loop()
    asked = _asked.get(loop) or _asked.setdefault(loop, _Asked())
    answer = asked.about(digest)
    if (place := PLACE.get()) is None:
        return await asyncio.shield(answer)
    place.step_out()
    try:
        return await asyncio.shield(answer)
    finally:
        place.step_in()


class _Asked:
    """What an event loop's requests want to know."""

    def __init__(self) -> None:
        self._next: dict[bytes, asyncio.Future[sql.Identity | None]] = {}
        self._asking: asyncio.Task[None] | None = None

    def about(self, digest: bytes) -> asyncio.Future[sql.Identity | None]:
        answer = self._next.get(digest)
        if answer is None:
            answer = self._next[digest] = asyncio.get_running_loop().create_future()
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._ask())
        return answer

    async def _ask(self) -> None:
        PLACE.set(None)
        while self._next:
            batch = {digest: self._next.pop(digest) for digest in list(self._next)[:MOST_AT_ONCE]}
            began = time.monotonic()
            try:
                async with pool.connection() as conn:
                    found = {row["hash"]: row for row in await sql.tokens.list_identities(conn, hashes=list(batch))}
            except BaseException as error:
                answers = list(batch.values())
                if time.monotonic() - began > pool.WAIT_SECONDS:
                    # PostgreSQL was silent. Who came meanwhile has waited, too, and would wait as long again.
                    answers += self._next.values()
                    self._next.clear()
                for answer in answers:
                    answer.set_exception(error)
                    answer.exception()  # Whoever asked may be gone.
                if not isinstance(error, Exception):
                    raise
            else:
                for digest, answer in batch.items():
                    answer.set_result(found.get(digest))


_asked: WeakKeyDictionary[asyncio.AbstractEventLoop, _Asked] = WeakKeyDictionary()
