"""One POST on a connection of its own, to an address that the guard has checked."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpcore
from anyio import BrokenResourceError
from anyio.abc import ByteStream

from ticketing.outbound.destination import Destination, Refused
from ticketing.outbound.guard import Guard, Unresolved

CONNECT_SECONDS = 5.0
ANSWER_BYTES = 64 * 1024
"""Most bytes read of an answer in all: TLS, interim answers (RFC 9110, 15.2), head, and the beginning of the body. A
well-meaning receiver needs less, and an endless answer costs no more."""
EXCERPT_BYTES = 1024
EXCERPT_SECONDS = 2.0
ADDRESSES = 3
"""How many addresses of a host are tried before it counts as down."""


class Failed(Exception):
    """There was no answer; `outcome` is a word for counters, the message a sentence for people."""

    def __init__(self, outcome: str, sentence: str) -> None:
        super().__init__(sentence)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Reply:
    """The receiver's answer, with only the beginning of its body."""

    status: int
    headers: Mapping[str, str]
    excerpt: bytes


async def post(guard: Guard, url: str, headers: Mapping[str, str], body: bytes, *, seconds: float) -> Reply:
    """Send the body and wait for the answer, within so many seconds in all. Raises Failed, and nothing else."""
    try:
        async with asyncio.timeout(seconds):
            destination = Destination.of(url)
            return await _exchange(destination, await guard.addresses(destination), headers, body)
    except TimeoutError:
        raise Failed("timed_out", f"There was no answer within {seconds:g} seconds.") from None
    except Refused as refusal:
        raise Failed("refused", str(refusal)) from None
    except Unresolved as fault:
        raise Failed("unreachable", str(fault)) from None
    except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
        raise Failed("unreachable", _sentence("There was no connection", error)) from None
    except Exception as error:
        # The errors that a receiver can cause are not documented: httpcore lets ssl.SSLError through, for one.
        raise Failed("broken_off", _sentence("The answer broke off", error)) from error


async def _exchange(destination: Destination, addresses: list[str], headers: Mapping[str, str], body: bytes) -> Reply:
    connection = httpcore.AsyncHTTPConnection(
        # The name, not the address: TLS sends it (SNI) and verifies the certificate against it.
        httpcore.Origin(destination.scheme.encode(), destination.host.encode(), destination.port),
        ssl_context=_trusted() if destination.scheme == "https" else None,
        network_backend=_Pinned(addresses),
    )
    request = httpcore.Request(
        "POST",
        httpcore.URL(
            scheme=destination.scheme.encode(),
            host=destination.host.encode(),
            port=destination.port,
            target=destination.target.encode(),
        ),
        headers=[
            ("Host", destination.authority),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
            *headers.items(),
        ],
        content=body,
        extensions={"timeout": {"connect": CONNECT_SECONDS}},
    )
    async with connection:
        response = await connection.handle_async_request(request)
        try:
            return Reply(
                response.status,
                {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers},
                await _excerpt(response),
            )
        finally:
            with suppress(Exception):  # The answer counts, however the connection ends.
                await response.aclose()


async def _excerpt(response: httpcore.Response) -> bytes:
    """The beginning of the body. Only the status matters, so a body that stalls or breaks off changes nothing."""
    excerpt = b""
    with suppress(Exception):
        async with asyncio.timeout(EXCERPT_SECONDS):
            async for chunk in response.aiter_stream():
                excerpt += chunk
                if len(excerpt) >= EXCERPT_BYTES:
                    break
    return excerpt[:EXCERPT_BYTES]


@cache
def _trusted() -> ssl.SSLContext:
    """The system's trusted certificates (and `SSL_CERT_FILE`), so that an intranet can have its own authority."""
    return ssl.create_default_context()


class _Pinned(httpcore.AnyIOBackend):
    """Connects to these addresses whatever host it is asked for, so that the name is not resolved again."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self.addresses = addresses[:ADDRESSES]

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - that is the point
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore calls it so
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        for address in self.addresses[:-1]:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return _bounded(await super().connect_tcp(address, port, timeout, local_address, socket_options))
        return _bounded(await super().connect_tcp(self.addresses[-1], port, timeout, local_address, socket_options))


def _bounded(stream: Any) -> httpcore.AsyncNetworkStream:
    """The same stream, limited below the TLS layer, where every byte read can be counted."""
    stream._stream = _Bounded(stream._stream)
    return stream  # type: ignore[no-any-return]


class _Bounded(ByteStream):
    """A connection from which a limited number of bytes is read, TLS included."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._left = ANSWER_BYTES

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if self._left <= 0:
            raise BrokenResourceError(f"it had not ended after {ANSWER_BYTES:,} bytes")
        piece = await self._stream.receive(min(max_bytes, self._left))
        self._left -= len(piece)
        return piece

    async def send(self, item: bytes) -> None:
        await self._stream.send(item)

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return self._stream.extra_attributes


def _sentence(beginning: str, error: Exception) -> str:
    said = "".join(letter for letter in str(error) if letter.isprintable()).strip().rstrip(".")
    return f"{beginning}: {said[:200]}." if said else f"{beginning}."
