"""A TCP proxy that misbehaves on demand: it cuts connections, swallows packets, or loses answers to commits."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
from collections import Counter, deque
from pathlib import Path
from typing import Literal

from chaos.listening import Listener

Moment = Literal["before", "during", "after"]
"""When a commit is cut: before it reaches the server, while it runs, or when its answer is on the way."""
CHUNK = 1 << 16
CHANGES = re.compile(rb"\binsert\s+into\b", re.IGNORECASE)
"""Every change that is accounted for inserts an event."""


class Proxy(Listener):
    """Forwards everything to a socket."""

    def __init__(self, upstream: Path) -> None:
        super().__init__()
        self._upstream = upstream
        self._links: set[_Link] = set()
        self._to_cut: deque[Moment] = deque()
        self._open = asyncio.Event()
        self._open.set()
        self.delay = 0.0
        self.commits_cut: Counter[Moment] = Counter()

    async def _end(self) -> None:
        self._open.set()
        while self._links:
            self._cut()
            await asyncio.sleep(0)

    def cut(self) -> None:
        """Abort every connection."""
        self._loop.call_soon_threadsafe(self._cut)

    def swallow(self) -> None:
        """Forward nothing any more; data under way waits, as TCP would keep resending it."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def let_through(self) -> None:
        """Forward everything again."""
        self._loop.call_soon_threadsafe(self._open.set)

    def cut_commits(self, *moments: Moment) -> None:
        """Cut each of the next commits at its stage."""
        self._to_cut.extend(moments)

    @property
    def commits_to_cut(self) -> int:
        """How many commits are still to be cut."""
        return len(self._to_cut)

    async def passable(self) -> None:
        """Wait while packets are swallowed."""
        await self._open.wait()
        if self.delay:
            await asyncio.sleep(self.delay)

    def next_cut(self) -> Moment | None:
        """The stage at which to cut the commit under way, or None."""
        if not self._to_cut:
            return None
        moment = self._to_cut.popleft()
        self.commits_cut[moment] += 1
        return moment

    def _cut(self) -> None:
        for link in list(self._links):
            link.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server = await asyncio.open_unix_connection(self._upstream, limit=CHUNK)
        except OSError:
            reset(writer)
            return
        link = _Link(self, (reader, writer), server)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)


_Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Link:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, client: _Ends, server: _Ends) -> None:
        self._proxy = proxy
        self._from_client, self._to_client = client
        self._from_server, self._to_server = server
        self._talk = Conversation()
        self._lose_answer = False

    async def run(self) -> None:
        """Forward until either side, or the proxy, ends the connection."""
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass_requests())
                both.create_task(self._pass_answers())
        except* (OSError, _Over):
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Abort both sides: the client sees a reset, the server reads what it was sent and then the end."""
        reset(self._to_client)
        self._to_server.close()

    async def _pass_requests(self) -> None:
        while data := await self._from_client.read(CHUNK):
            await self._proxy.passable()
            moment = self._proxy.next_cut() if self._talk.asked(data) else None
            if moment == "before":
                raise _Over
            self._lose_answer = moment == "after"
            self._to_server.write(data)
            await self._to_server.drain()
            if moment == "during":
                raise _Over
        raise _Over

    async def _pass_answers(self) -> None:
        while data := await self._from_server.read(CHUNK):
            await self._proxy.passable()
            if self._lose_answer:
                raise _Over
            self._talk.answered(data)
            self._to_client.write(data)
            await self._to_client.drain()
        raise _Over


class _Over(Exception):
    """Either side has ended the connection, or we have."""


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection as a crash would: with a reset, losing whatever is under way."""
    with contextlib.suppress(OSError):
        # A linger time of zero makes it a reset.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Conversation:
    """The traffic between a client and PostgreSQL, parsed far enough to see a commit under way.

    Only for the extended protocol with a `Sync` per statement and `COMMIT` as a simple query, as psycopg speaks it. In
    any other protocol no commit is seen.
    """

    def __init__(self) -> None:
        self._requests = _Messages(typed=False)
        self._answers = _Messages(typed=True)
        self._statements: dict[bytes, bool] = {}
        self._changes = False
        self._in_transaction = False

    def asked(self, data: bytes) -> bool:
        """Take what the client sent; return whether it commits a change once the server has done all of it."""
        commits = False
        for kind, body in self._requests.complete(data):
            if kind == b"P":
                name, _, rest = body.partition(b"\0")
                self._statements[name] = bool(CHANGES.search(rest.partition(b"\0")[0]))
            elif kind == b"B":
                self._changes |= self._statements.get(body.split(b"\0", 2)[1], False)
            elif kind == b"S" and not self._in_transaction:
                commits |= self._changes
                self._changes = False
            elif kind == b"Q":
                commits |= self._changes and body.startswith(b"COMMIT")
                self._changes = False
        return commits

    def answered(self, data: bytes) -> None:
        """Take what the server sent."""
        for kind, body in self._answers.complete(data):
            if kind == b"Z":
                self._in_transaction = body != b"I"


class _Messages:
    """Frames of PostgreSQL's protocol 3; only the very first one of a client has no type."""

    def __init__(self, *, typed: bool) -> None:
        self._typed = typed
        self._rest = b""

    def complete(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """The messages that are complete now."""
        self._rest += data
        found: list[tuple[bytes, bytes]] = []
        while True:
            head = 1 if self._typed else 0
            if len(self._rest) < head + 4:
                return found
            end = head + int.from_bytes(self._rest[head : head + 4])
            if len(self._rest) < end:
                return found
            found.append((self._rest[:head], self._rest[head + 4 : end]))
            self._rest = self._rest[end:]
            self._typed = True
