"""Sends one request after another on each of a few connections, for some seconds, and prints the result as JSON.

It is deliberately bare, to leave the processor to the servers: no HTTP library, and it reads only status and length of
each answer. It runs in its own process: `load.py JOB`, where JOB is a JSON object of `run`'s parameters.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import uvloop

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"
BODIES: dict[str, dict[str, Any]] = {
    "create": {
        "type": "bug",
        "project": "bench",
        "title": "Playback stops after a minute",
        "description": "It plays for about a minute, then the picture freezes and the sound goes on. " * 4,
        "severity": "high",
        "category": "player",
        "tags": ["playback", "android tv"],
        "environment": {"app": "4.2.1", "device": "living room", "os": "Android 14"},
    },
    "comment": {"body": "The same here, since the update. Restarting the app helps until the next film. " * 3},
}


class Connection(asyncio.Protocol):
    """One keep-alive connection: it sends the next request when the last answer is complete."""

    def __init__(self, requests: Iterator[bytes], answered: Callable[[int, float], bool]) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._answered = answered
        self._received = bytearray()
        self._sent_at = 0.0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(HEAD_END)
        if not separator or len(body) < _content_length(head):
            return
        self._received.clear()
        if self._answered(int(head[9:12]), time.perf_counter() - self._sent_at):
            self._send()
        else:
            self.ended.set_result(None)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(exc or ConnectionError("The server closed the connection."))

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(next(self._requests))


def _content_length(head: bytearray) -> int:
    lowered = bytes(head).lower()
    return int(lowered[lowered.index(LENGTH) + len(LENGTH) :].split(b"\r\n", 1)[0])


async def run(
    *, port: int, token: str, scenario: str, tickets: int, words: list[str], connections: int, seconds: float
) -> dict[str, Any]:
    """Load a server on this machine. Requests under way when the time is up are completed and counted."""
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    started = time.perf_counter()

    def answered(status: int, latency: float) -> bool:
        statuses[status] += 1
        latencies.append(latency)
        return time.perf_counter() - started < seconds

    requests = endless(scenario, token, tickets, words)
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Connection(requests, answered), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.gather(*(connection.ended for _, connection in made))
    elapsed = time.perf_counter() - started
    latencies.sort()
    return {
        "requests": len(latencies),
        "errors": len(latencies) - statuses[201 if scenario in BODIES else 200],
        "rate": len(latencies) / elapsed,
        "p50": latencies[len(latencies) // 2],
        "p99": latencies[len(latencies) * 99 // 100],
    }


def endless(scenario: str, token: str, tickets: int, words: list[str]) -> Iterator[bytes]:
    """Requests of one kind, about random tickets or with one of the words; each POST has its own key."""
    common = f"HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nAuthorization: Bearer {token}\r\n"
    body = json.dumps(BODIES[scenario]) if scenario in BODIES else ""
    sending = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    draw = random.Random(1)  # noqa: S311
    while True:
        number = draw.randint(1, tickets)
        key = f"Idempotency-Key: {uuid.uuid4()}\r\n"
        match scenario:
            case "get":
                text = f"GET /api/v1/tickets/{number} {common}\r\n"
            case "list":
                text = f"GET /api/v1/tickets?limit=25 {common}\r\n"
            case "queue":
                text = f"GET /api/v1/tickets?status=open,in_progress,pending&assignee=me&limit=25 {common}\r\n"
            case "search":
                text = f"GET /api/v1/tickets?q={draw.choice(words)}+sort:-created&limit=25 {common}\r\n"
            case "create":
                text = f"POST /api/v1/tickets {common}{sending}{key}\r\n{body}"
            case "comment":
                text = f"POST /api/v1/tickets/{number}/comments {common}{sending}{key}\r\n{body}"
            case _:
                raise ValueError(scenario)
        yield text.encode()


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(**json.loads(sys.argv[1])))))
