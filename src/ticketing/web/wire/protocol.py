"""One client connection: uvicorn's protocol, with limits on everything that the client decides."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from weakref import WeakKeyDictionary

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import get_remote_addr
from uvicorn.server import ServerState

from ticketing.contract.admission import Overloaded
from ticketing.contract.exchange import LINE
from ticketing.contract.forwarded import peer_of
from ticketing.contract.problems import MalformedRequest, Problem, RequestTimeout
from ticketing.ground import metrics
from ticketing.ground.config import settings
from ticketing.web.wire.connections import NEVER, Connections
from ticketing.web.wire.corked import Corked
from ticketing.web.wire.head import (
    FIELDS,
    FRAMING,
    FRAMING_BYTES,
    HEAD_BYTES,
    TARGET_BYTES,
    HeadTooLarge,
    NotImplementedHere,
    TargetTooLong,
    check,
    origin_form,
    same_framing,
)
from ticketing.web.wire.refusals import refusal

REQUEST_LINE = re.compile(rb"(?:\A|\n)[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~]+ HTTP/1\.[01]\r?\n")
PIPELINED = 16
"""Most pipelined requests that wait for an earlier answer. Those beyond get no answer (RFC 9112, 9.3.2)."""
LINGER_SECONDS = 2
"""How long we go on reading after a refusal: if we closed at once, the client might miss it (RFC 9112, 9.6)."""
LINGER_BYTES = 64 * 1024
"""How many bytes we then read at most. After that we stop reading, so the client reads what we have sent."""
CHUNK_BYTES = 16
"""Bytes that usually frame a chunk; only those beyond count."""

TAKE_SECONDS = 30
"""Seconds a client has to read an answer,"""
LEAST_RATE = 16 * 1024
"""and more for what the kernel has not taken by its end, at this many bytes a second."""

IDLE, HEAD, BODY, ENDED = range(4)
"""What is being read: nothing, a head, a body with its trailers, or nothing ever again."""

_connections: WeakKeyDictionary[ServerState, Connections] = WeakKeyDictionary()


class _NoMore(Exception):
    """Stops the parser."""


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, with limits on size, number and time of requests; refusals are problem details."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._all = _connections.get(self.server_state) or _counted(self.server_state, self.loop)
        self._part = IDLE
        self._answering: Any = None
        self._replaying = self._full = self._clogged = False
        self._unexplained = self._head_bytes = self._discarded = 0
        self._framing: list[tuple[bytes, bytes]] = []
        self._good: list[tuple[bytes, bytes]] | None = None
        self._problem: Problem | None = None
        self._last: Problem | None = None
        self.url = b""
        self.due = self.loop.time() + self._all.head_seconds
        self._head_due = False
        address = get_remote_addr(transport)
        self._peer = peer_of(address)
        self._streaming = False
        if address is None and transport.get_extra_info("socket").family != socket.AF_UNIX:
            # Gone before it was accepted: its address is unknown, and must not pass for a client on a Unix socket.
            self._part, self._admitted, self.transport = ENDED, False, transport
            self.flow = FlowControl(transport)
            transport.abort()
            return
        self._admitted = self._all.admit(self._peer)
        if self._admitted:
            self._line = corked = Corked(transport, self.loop, self._lingers)
            self._extensions: Any = {LINE: self}
            super().connection_made(cast(asyncio.Transport, corked))
        else:
            self._turn_away(transport)

    def _turn_away(self, transport: asyncio.Transport) -> None:
        """Refuse the connection, and keep it open until the client can have read that, if there is room to."""
        self._part = ENDED
        self.transport, self.flow = transport, FlowControl(transport)
        transport.write(self._refusal(Overloaded("There are too many connections. Try again in a moment.")))
        if self._all.part(self, self._peer):
            transport.write_eof()
            self.due = self.loop.time() + LINGER_SECONDS
        else:
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._admitted:
            self._all.leave(self._peer, streaming=self._streaming)
            self._all.release(self)
            self._admitted = False
        else:
            self._all.parted(self)
        self._part = ENDED
        self.pipeline.clear()
        if not self._silent:  # uvicorn knows only the newest request.
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._part is ENDED:
            self._discard(len(data))
            return
        self._unexplained = len(data) if self._part is IDLE else max(0, self._unexplained) + len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._decline(data, offer.args[0])
        except httptools.HttpParserInvalidMethodError as error:
            self._broken(error, is_request=REQUEST_LINE.search(data) is not None)
        except httptools.HttpParserError as error:
            self._broken(error)
        if self._part is not IDLE:
            self._unfinished()

    def _decline(self, data: bytes | memoryview, offset: int) -> None:
        """Decline an Upgrade and stay with HTTP/1.1 (RFC 9110, 7.8).

        The parser would take what follows for another protocol. So another parser, which has read the same head
        without the Upgrade, continues.
        """
        rest = memoryview(data)[offset:]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        try:
            self._replaying = True
            self.parser.feed_data(same_framing(self.headers))
            self._replaying = False
            self.parser.feed_data(rest)
        except httptools.HttpParserUpgrade as offer:
            self._decline(rest, offer.args[0])
        except httptools.HttpParserError as error:
            self._broken(error)

    def _broken(self, error: httptools.HttpParserError, *, is_request: bool = False) -> None:
        if self._full:
            self._part = ENDED
            self.cycle.keep_alive = False
        elif self._problem:
            self._refuse(self._problem)
        elif self.parser.get_method() == b"PRI":
            self._refuse(MalformedRequest("HTTP/2 is not supported. Use HTTP/1.1."))
        elif is_request:
            self._refuse(NotImplementedHere("HTTP does not know this method."))  # RFC 9110, 9.1
        elif isinstance(error, httptools.HttpParserCallbackError):
            self._refuse(MalformedRequest("The target of the request cannot be read. Encode it as RFC 3986 has it."))
        else:
            self._refuse(MalformedRequest(f"The request is not well-formed HTTP/1.1: {error}."))

    def _unfinished(self) -> None:
        """Limit what is incomplete at the end of a read."""
        if self._part is HEAD:
            if self._unexplained > HEAD_BYTES:
                self._refuse(self._excess())
            elif self._silent and not self._head_due:
                self._await_head()
        elif self._part is BODY and self._unexplained > FRAMING_BYTES:
            self._refuse(MalformedRequest("The chunked body has too much framing around its data."))

    @property
    def is_reading(self) -> bool:
        """Whether a request is incomplete."""
        return self._part is not IDLE

    @property
    def _silent(self) -> bool:
        """Whether no answer is in progress."""
        cycle = self._answering
        return not self.pipeline and (cycle is None or cycle.response_complete or cycle.disconnected)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _await_head(self) -> None:
        self._head_due = True
        self.due = self.loop.time() + self._all.head_seconds

    # What the parser finds

    def on_message_begin(self) -> None:
        if self._replaying:
            return
        if len(self.pipeline) >= PIPELINED:
            self._full = True
            raise _NoMore
        self._part = HEAD
        self._head_bytes = 0
        self._framing = []
        super().on_message_begin()
        self.scope["extensions"] = self._extensions

    def on_url(self, url: bytes) -> None:
        if self._part is HEAD:
            self.url += url[: TARGET_BYTES + 1 - len(self.url)]

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._part is not HEAD:
            self._pass_over()
            return
        name = name.lower()
        # White space around a value is no part of it (RFC 9110, 5.5); the parser leaves some.
        self.headers.append((name, value.strip(b" \t")))
        self._head_bytes += len(name) + len(value) + 4
        if name in FRAMING:
            self._framing.append((name, value))
        elif name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
        if self._head_bytes > HEAD_BYTES or len(self.headers) > FIELDS:
            self._stop(self._excess())

    def _excess(self) -> Problem:
        """What is too large of the head. A target is refused with the rest of its head, which may name an `Origin`."""
        return TargetTooLong() if len(self.url) > TARGET_BYTES else HeadTooLarge()

    def _pass_over(self) -> None:
        """Ignore a trailer: it is not a header (RFC 9110, 6.5.1)."""
        self._trailers += not self._replaying
        if self._trailers > FIELDS:
            self._stop(HeadTooLarge())

    def on_headers_complete(self) -> None:
        if self._replaying:
            return
        if len(self.url) > TARGET_BYTES:
            self._stop(TargetTooLong())
        version = self.parser.get_http_version()
        if self._framing != self._good or version != "1.1" or self.parser.should_upgrade():
            self._check(version)
        if not self.url.startswith(b"/"):
            self.url = origin_form(self.url)
        super().on_headers_complete()
        self._unexplained -= self._head_bytes + len(self.url)
        self._trailers = 0
        self._part = BODY
        self._head_due = False
        self.due = NEVER

    def _check(self, version: str) -> None:
        """Check the head, unless it is the same as in the connection's last request."""
        try:
            check(version, self.parser.get_method(), self._framing)
        except Problem as problem:
            self._stop(problem)
        if version == "1.1":
            self._good = self._framing
        else:
            self.expect_100_continue = False  # RFC 9110, 10.1.1

    def on_body(self, body: bytes) -> None:
        self._unexplained -= len(body)
        super().on_body(body)

    def on_chunk_header(self) -> None:
        self._unexplained -= CHUNK_BYTES

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # The rest of the message comes after the Upgrade is declined.
        self._part = IDLE
        if self.cycle.response_complete:
            self._await_next()
        else:
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def _should_upgrade(self) -> bool:
        return False

    def _stop(self, problem: Problem) -> None:
        # If we raised the problem itself, its traceback would keep what was read in memory.
        self._problem = problem
        raise _NoMore

    # What goes out

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        self._line.flush()
        if self.transport.is_closing():
            self._await_taken()
        elif self._part is not ENDED or self.pipeline or self._last:
            if self.flow.write_paused:
                self._clog()
            else:
                self._go_on()

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Mark the connection as a stream's while the block runs, even if the client leaves meanwhile."""
        self._stream(begins=True)
        try:
            yield
        finally:
            self._stream(begins=False)

    def _stream(self, *, begins: bool) -> None:
        if self._admitted:
            self._streaming = begins
            self._all.stream(self._peer, begins=begins)

    def _clog(self) -> None:
        """Start no other request before the client has read most of this answer."""
        self._clogged = True
        self.flow.pause_reading()
        self._await_taken()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._clogged:
            self._clogged = False
            self._all.release(self)
            if not self.transport.is_closing():
                self._go_on()

    def _await_taken(self) -> None:
        self.due = self.loop.time() + TAKE_SECONDS + self._line.unsent / LEAST_RATE
        if self.flow.write_paused:
            self._all.hold(self, self._peer, self._line.unsent_alone)

    def _go_on(self) -> None:
        self.flow.resume_reading()
        if self.pipeline:
            self.due = NEVER
            self._start_asgi_task(*self.pipeline.pop())
        elif self._last:
            self._say(self._last)
        elif self._part is HEAD:
            self._await_head()
        else:
            self._await_next()

    def _await_next(self) -> None:
        self.due = self.loop.time() + self._all.idle_seconds

    def _refuse(self, problem: Problem) -> None:
        """Answer with the problem, after all earlier answers, and end the connection."""
        part, self._part = self._part, ENDED
        if part is not BODY:
            if self._silent:
                self._say(problem)
            else:
                self._last = problem
        elif self.cycle.response_started:
            self._hang_up()
        elif self.pipeline:  # Only the newest request's body is still being read.
            self.pipeline.popleft()
            self._last = problem
        else:
            self.cycle.disconnected = True
            self.cycle.waiting_for_100_continue = False
            self.cycle.message_event.set()
            self._say(problem)

    def _say(self, problem: Problem) -> None:
        if self._all.patience(self._peer):
            self._answer(problem)
        else:
            self._last = problem
            self.flow.pause_reading()
            self.due = self.loop.time()

    def _answer(self, problem: Problem) -> None:
        self._last = None
        self.transport.write(self._refusal(problem))
        self._linger()

    def _lingers(self) -> bool:
        """Whether a connection that is to be closed stays a while, as the answer did not wait for the whole body."""
        if self._part is not BODY or self.cycle.keep_alive:
            return False
        self._part = ENDED
        self._linger()
        return True

    def _linger(self) -> None:
        self.transport.write_eof()
        self.flow.resume_reading()
        self.due = self.loop.time() + LINGER_SECONDS

    def _refusal(self, problem: Problem) -> bytes:
        return refusal(
            problem,
            method=self.parser.get_method().decode() if self.url else "",
            path=self.url.partition(b"?")[0].decode("latin-1"),
            client=self._peer,
            fields=dict(self.headers or ()),
            defaults=self.server_state.default_headers,
        )

    def _discard(self, count: int) -> None:
        self._discarded += count
        if self._discarded > LINGER_BYTES:
            self.flow.pause_reading()

    def overdue(self) -> None:
        """End the connection: the client has kept us waiting for too long."""
        self.due = NEVER
        if self._clogged or self.transport.is_closing():
            if unsent := self._line.unsent:
                metrics.observe_cut(self._peer, unsent, "slow")
            self.break_off()
        elif self._last and self._silent:
            self._answer(self._last)
        elif self._part is HEAD:
            self._refuse(RequestTimeout(f"The head of a request must arrive within {self._all.head_seconds} s."))
        elif self._part is ENDED:
            self.transport.abort()
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        self.transport.close()
        if self.transport.is_closing():
            self._await_taken()

    def drop_unsent(self) -> bool:
        """Abort the connection if it has unsent bytes; return whether it had."""
        return self._line.drop_unsent()

    def break_off(self) -> None:
        """Abort the connection, and drop what the kernel has not sent yet."""
        if not (self._admitted and self._line.drop_unsent()):
            self.transport.abort()


def _counted(state: ServerState, loop: asyncio.AbstractEventLoop) -> Connections:
    made = _connections[state] = Connections(state.connections, settings(), loop)  # type: ignore[arg-type]
    return made
