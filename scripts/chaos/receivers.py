"""Webhook receivers that can misbehave, and that record every message with a valid signature."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal

from standardwebhooks import Webhook, WebhookVerificationError

from chaos.listening import Listener
from chaos.proxy import reset

Mood = Literal["well", "slow", "silent", "dead", "wrong", "flapping"]
SLOW_SECONDS = (0.5, 3.0)


@dataclass(slots=True)
class Receiver:
    """The receiver of one endpoint."""

    name: str
    mood: Mood = "well"
    id: str = ""
    secret: str = ""
    #: Times of receipt, by `webhook-id`; only of accepted messages.
    received: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    forged: list[str] = field(default_factory=list)


class Receivers(Listener):
    """All receivers, on one port; each has its name as its path."""

    def __init__(self, draw: random.Random) -> None:
        super().__init__()
        self._draw = draw
        self._answering: set[asyncio.Task[None]] = set()
        self.by_name: dict[str, Receiver] = {}

    async def _end(self) -> None:
        for task in self._answering:
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)

    def add(self, name: str) -> Receiver:
        """Add a receiver; its secret is set later."""
        self.by_name[name] = Receiver(name)
        return self.by_name[name]

    def url(self, name: str) -> str:
        """The URL of a receiver."""
        return f"http://127.0.0.1:{self.port}/{name}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._answering.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path, headers = _parsed(head)
            body = await reader.readexactly(int(headers["content-length"]))
            await self._answer(self.by_name[path], headers, body, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._answering.discard(task)

    async def _answer(
        self, receiver: Receiver, headers: dict[str, str], body: bytes, writer: asyncio.StreamWriter
    ) -> None:
        mood = receiver.mood
        if mood == "flapping":
            mood = self._draw.choice(("well", "dead", "wrong"))
        if mood == "dead":
            reset(writer)
            return
        if mood == "silent":
            await asyncio.sleep(3600)
        if mood == "slow":
            await asyncio.sleep(self._draw.uniform(*SLOW_SECONDS))
        if mood == "wrong":
            writer.write(self._draw.choice(WRONG))
        else:
            _note(receiver, headers, body)
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


WRONG = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    b"HTTP/1.1 204",
)


def _note(receiver: Receiver, headers: dict[str, str], body: bytes) -> None:
    try:
        Webhook(receiver.secret).verify(body, headers)
    except WebhookVerificationError as fault:
        receiver.forged.append(f"{headers.get('webhook-id')}: {fault}")
    else:
        receiver.received[headers["webhook-id"]].append(time.time())


def _parsed(head: bytes) -> tuple[str, dict[str, str]]:
    request, *lines = head.decode("latin-1").rstrip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return request.split(" ")[1].strip("/"), {name.lower(): value.strip() for name, _, value in pairs}
