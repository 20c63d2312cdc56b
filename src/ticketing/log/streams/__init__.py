"""Streams: the feed as it happens, with one reader of the log for all open streams of a process.

The `hub` hears the bell, reads once what is new, and puts it into the buffer of each `listener` whose reader may see
it; who may is in what was read. A stream with an old cursor first reads what it has missed, a page at a time, and then
joins the others. A buffer that is not emptied in time ends its stream; the client may connect again and continue.

A stream is sent to only while it holds one of the `permits`, which last a fraction of a second. So however late the
database answers, and however slowly a client reads, nothing is sent later than a second after the right to it ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from ticketing.access.actors import Actor
from ticketing.db import pool
from ticketing.ground.config import Settings
from ticketing.log import feed, places
from ticketing.log.places import Reader
from ticketing.log.streams.hub import Hub
from ticketing.log.streams.listener import Listener

_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}
"""The hub of each event loop, because connections can be written to only by their own."""


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[None]:
    """Let streams be opened for as long as the block runs."""
    loop = asyncio.get_running_loop()
    hub = _hubs[loop] = Hub(settings)
    working = [asyncio.create_task(work()) for work in (hub.follow, hub.watch, hub.check)]
    try:
        yield
    finally:
        hub.leave()
        for task in working:
            task.cancel()
        await asyncio.wait(working)
        del _hubs[loop]


def leave() -> None:
    """End every stream now, and each new one at once: this process is about to end."""
    if hub := _hubs.get(asyncio.get_running_loop()):
        hub.leave()


@asynccontextmanager
async def opened(
    actor: Actor, *, type: Sequence[str] | None = None, project: Sequence[str] | None = None, cursor: str | None = None
) -> AsyncIterator[Listener]:
    """A stream of what the actor may see from the cursor, or from now, on.

    Raises TooManyStreams, Full, InvalidParameter, InvalidCursor, CursorExpired.
    """
    hub = _hubs[asyncio.get_running_loop()]
    reader = Reader(actor, type, project)
    with hub.room.taken(actor):
        async with pool.connection() as conn:
            seal, place = await places.begun(conn, reader, cursor, at_end=True)
            if cursor is None:
                await feed.check_named(conn, reader)
        listener = Listener(hub, seal, place)
        hub.add(listener)
        try:
            yield listener
        finally:
            hub.remove(listener)
