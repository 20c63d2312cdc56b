"""One request and its answer: what the engine's layers know of it, and the only place that sends answers."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from ticketing.contract.admission import Place
from ticketing.contract.forwarded import Origin, Proxies
from ticketing.contract.tracing import trace_of
from ticketing.contract.versions import VERSION, entity_tags, etag

KEY = "contract.exchange"
"""Where a scope holds its exchange."""

_OURS = re.compile("<?/(?!/)")
"""How an address of ours begins in a header."""
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
UNLESS_SAID = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
Lines = Sequence[tuple[bytes, bytes]]
"""Headers as they are sent, a line each."""
_LAST = (b"connection", b"close")
"""What is left of the request is not read, so no other can follow on its connection."""
_JSON = (b"content-type", b"application/json")
PROBLEM = (b"content-type", b"application/problem+json")


class ClientGone(Exception):
    """The client hung up, or does not read what we send; there is nobody to answer."""


Headers = Mapping[str, str | Sequence[str]]
"""Headers of an answer by name; several values are sent in a line each, as `Set-Cookie` needs it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A handler's answer: a JSON-serialisable body (None for no body), a status and headers."""

    body: Any
    status: int = 200
    headers: Headers = field(default_factory=dict)


LINE = "ticketing.line"
"""The key of the request's Line in the scope's extensions, if the server provides one."""


class Line(Protocol):
    """The connection to a client, for code that must know what has arrived or left, or that marks it as a stream's."""

    @property
    def is_reading(self) -> bool:
        """Whether a request on it is incomplete."""

    def streaming(self) -> AbstractContextManager[None]:
        """Mark the connection as a stream's while the block runs."""

    def drop_unsent(self) -> bool:
        """Abort the connection if it has unsent bytes; return whether it had."""


class Pieces(Protocol):
    """The body of a stream, piece by piece; it ends soon after `end()`."""

    line: Line | None

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    def end(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Stream:
    """A handler's answer with an endless body. Until it is opened, a Problem may still be the answer."""

    opened: AbstractAsyncContextManager[Pieces]
    media_type: str
    headers: Headers = field(default_factory=dict)


class Body(Protocol):
    """A body that is read while the request is worked on, and what is held of it."""

    @property
    def complete(self) -> bool:
        """Whether all of it is here."""

    def close(self) -> None:
        """Let go of what is held."""


STALL_SECONDS = 5
"""How long a stream waits for a client that does not read; the client may come back and go on."""


def request_id(wished: bytes | None) -> bytes:
    """The id of a request: the client's, if it is valid, or a random one."""
    return wished if wished and _REQUEST_ID.fullmatch(wished) else os.urandom(8).hex().encode()


class Exchange:
    """A request on its way in, and the answer on its way out."""

    __slots__ = (
        "actor",
        "actor_id",
        "always_said",
        "arguments",
        "body",
        "context",
        "headers",
        "line",
        "method",
        "operation_id",
        "origin",
        "path",
        "place",
        "query",
        "reason",
        "request_id",
        "send",
        "sharing",
        "spend",
        "status",
        "verify",
    )

    def __init__(self, scope: Any, send: Any, place: Place, proxies: Proxies) -> None:
        self.send = send
        self.place = place
        self.line: Line | None = scope.get("extensions", {}).get(LINE)
        self.method: str = scope["method"]
        self.headers: dict[bytes, bytes] = headers(scope["headers"])
        self.origin: Origin = proxies.origin(scope.get("client"), self.headers)
        self.path: str = _path(scope, self.origin.prefix)
        self.query: bytes = scope["query_string"]
        self.request_id = request_id(self.headers.get(b"x-request-id"))
        self.operation_id: str | None = None
        self.actor: Any = None
        self.actor_id: str | None = None
        self.verify: Callable[[Exchange], Awaitable[Any]] | None = None
        """Once the client is known: checks again who it is, and whether they still may do this."""
        self.spend: Callable[[], Awaitable[None]] | None = None
        """Uses up the credential, if it is valid once. Raises Unauthenticated if another request has used it."""
        self.arguments: dict[str, Any] = {}
        self.body: Body | None = None
        self.always_said: Lines = ()
        """Headers that the application gives to every answer."""
        self.sharing: Lines = ()
        """What the answer says of who may read it (`cors.py`)."""
        self.context: dict[str, Any] = {}
        self.status = 0
        self.reason: str | None = None
        """Why the client was refused, for the log only."""

    @property
    def trace_id(self) -> str | None:
        """The trace that the request names, if any."""
        return trace_of(self.headers.get(b"traceparent"))

    async def answer(self, answer: Answer, edited: Collection[str] | None) -> None:
        """Send a handler's answer, with its ETag unless `edited` is None: then the contract promises none.

        What can be `edited` has its version in its body (`completion.py`).
        """
        head = self.head(answer.headers)
        if answer.body is None:
            await self.respond(answer.status, head)
            return
        if edited is not None:
            tag = f'"{answer.body[VERSION]}"' if edited else etag(answer.body)
            head.append((b"etag", tag.encode()))
            if answer.status == 200 and self.holds(tag):
                await self.respond(304, head)
                return
        head.append(_JSON)
        await self.respond(answer.status, head, orjson.dumps(answer.body))

    async def stream(self, stream: Stream, receive: Any) -> None:
        """Send pieces as they come, until they end. Raises ClientGone."""
        async with stream.opened as pieces:
            pieces.line = self.line
            with self.line.streaming() if self.line else nullcontext():
                head = self.head(stream.headers)
                head.append((b"content-type", stream.media_type.encode()))
                if self.method == "HEAD":
                    await self.respond(200, head)
                    return
                await self.begin(200, head)
                watching = asyncio.create_task(_end_with_client(receive, pieces))
                try:
                    async for piece in pieces:
                        await self._send_in_time({"type": "http.response.body", "body": piece, "more_body": True})
                    await self._send_in_time({"type": "http.response.body", "body": b""})
                finally:
                    watching.cancel()

    async def _send_in_time(self, message: dict[str, Any]) -> None:
        """Send a piece. Raises ClientGone if the client does not read it in time."""
        try:
            async with asyncio.timeout(STALL_SECONDS):
                await self.send(message)
        except TimeoutError:
            # Drop what is unsent: we cannot know whether the client may still read it later.
            if self.line and self.line.drop_unsent():
                await asyncio.sleep(0)  # By then the server knows, and does not take it for a fault of ours.
            raise ClientGone from None

    async def refuse(self, status: int, encoded: bytes, given: Mapping[str, str]) -> None:
        """Send problem details."""
        head = self.head(given)
        head.append(PROBLEM)
        await self.respond(status, head, encoded)

    async def respond(
        self, status: int, head: list[tuple[bytes, bytes]], body: bytes | memoryview | None = None
    ) -> None:
        """Send an answer with the headers of every answer; HEAD is answered like GET, without the body.

        A body that many answers share is passed as a memoryview, and not copied.
        """
        if body is not None:
            head.append((b"content-length", b"%d" % len(body)))
        await self.begin(status, head)
        await self.send({"type": "http.response.body", "body": b"" if body is None or self.method == "HEAD" else body})

    async def begin(self, status: int, head: list[tuple[bytes, bytes]]) -> None:
        """Send the head of an answer, with what every answer carries. A refusal uses up no credential."""
        if self.spend is not None and status < 400:
            await self.spend()
        said = {name for name, _ in head}
        head += [header for header in UNLESS_SAID if header[0] not in said]
        head += self.always_said
        head += self.sharing
        if self.body is not None and not self.body.complete and _LAST[0] not in said:
            head.append(_LAST)
        head.append((b"x-request-id", self.request_id))
        self.status = status
        self.place.leave()
        await self.send({"type": "http.response.start", "status": status, "headers": head})

    def head(self, headers: Headers) -> list[tuple[bytes, bytes]]:
        """These headers as they are sent. Raises ValueError for one that would end before its end."""
        lines: list[tuple[bytes, bytes]] = []
        for name, value in headers.items():
            lowered = name.lower().encode()
            if isinstance(value, str):
                lines.append((lowered, self._seen(name, value)))
            else:
                lines += [(lowered, self._seen(name, line)) for line in value]
        return lines

    def _seen(self, name: str, value: str) -> bytes:
        """The value of a header, with links as the client sees us."""
        if self.origin.prefix and name in ("Location", "Link") and _OURS.match(value):
            value = value.replace("/", f"{self.origin.prefix}/", 1)
        if not value.isprintable():
            raise ValueError(f"The header {name} holds a control character.")
        return value.encode("latin-1")

    def holds(self, tag: str) -> bool:
        """Whether the client already has the version with this tag (If-None-Match, RFC 9110, 13.1.2), or bare."""
        given = self.headers.get(b"if-none-match")
        if given is None or self.method not in ("GET", "HEAD"):
            return False
        text = given.decode("latin-1")
        return text.strip() == "*" or tag.strip('"') in {version for _, version in entity_tags(text) or ()}


async def _end_with_client(receive: Any, pieces: Pieces) -> None:
    await gone(receive)
    pieces.end()


async def gone(receive: Any) -> None:
    """Wait until the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        """What is left of the request is no matter."""


def _path(scope: Any, prefix: str) -> str:
    """The path as it was sent, still encoded, without a root path or the prefix."""
    path: str = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    for before in (scope.get("root_path"), prefix):
        if before and path.startswith(f"{before}/"):
            path = path[len(before) :]
    return path


def headers(pairs: Any) -> dict[bytes, bytes]:
    """Request headers by name; those sent more than once are joined, as RFC 9110 (5.3) has it, and RFC 9113 (8.2.3)."""
    found: dict[bytes, bytes] = dict(pairs)
    if len(found) == len(pairs):
        return found
    lines: dict[bytes, list[bytes]] = {}
    for name, value in pairs:
        lines.setdefault(name, []).append(value)
    return {name: (b"; " if name == b"cookie" else b", ").join(values) for name, values in lines.items()}
