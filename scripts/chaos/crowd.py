"""Many clients at once on connections of their own, as bare as can be, so that the service has the processor."""

from __future__ import annotations

import asyncio
import random
import time
from urllib.parse import urlsplit

Answer = tuple[int, str, float]
"""Status, Retry-After (empty without one), and seconds."""


class Crowd:
    """Clients that all send the same request, given as `METHOD path`."""

    def __init__(self, url: str, request: str, token: str) -> None:
        self._port = urlsplit(url).port
        self._request = f"{request} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        self.connections: list[_Connection] = []

    async def gather(self, size: int) -> None:
        """Connect."""
        for _ in range(size):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            self.connections.append(_Connection(reader, writer, self._request))

    def leave(self) -> None:
        """Hang up."""
        for connection in self.connections:
            connection.writer.transport.abort()

    async def ask_for(self, seconds: float) -> list[Answer]:
        """Ask for so long: refused clients come back when told to, the others at once."""
        until = time.monotonic() + seconds
        answers: list[Answer] = []

        async def ask(connection: _Connection) -> None:
            while time.monotonic() < until:
                answer = await connection.ask()
                answers.append(answer)
                if answer[1]:
                    rest = max(0, until - time.monotonic())
                    await asyncio.sleep(min(rest, int(answer[1]) * random.uniform(1, 1.5)))  # noqa: S311

        await asyncio.gather(*(ask(connection) for connection in self.connections))
        return answers


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
        self.writer = writer
        self._reader, self._request = reader, request

    async def ask(self) -> Answer:
        """Send the request and read its answer."""
        began = time.monotonic()
        self.writer.write(self._request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        seconds = time.monotonic() - began
        await self._reader.readexactly(int(_header(head, b"content-length")))
        return int(head.split(b" ", 2)[1]), _header(head, b"retry-after"), seconds


def _header(head: bytes, name: bytes) -> str:
    return head.partition(b"\r\n" + name + b": ")[2].partition(b"\r\n")[0].decode()
