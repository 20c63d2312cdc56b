"""Receivers of webhooks: real servers in threads, as well or as badly behaved as a test wants them.

Whatever any of them is sent is judged: by the `standardwebhooks` package, and by `webhooks:` of the published contract.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from judged import judge

CHAT = {"slack": {"text", "mrkdwn", "unfurl_links"}, "discord": {"content", "allowed_mentions", "flags"}}


@dataclass
class Message:
    """What a receiver was sent."""

    id: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Behaviour = Callable[["Exchange"], None]


class Receiver:
    """A server, what it was sent, and what of that was not as it has to be."""

    def __init__(self, format: str = "standard") -> None:
        self.format = format
        self.behaviour: Behaviour = answering()
        self.secrets: list[str] = []
        self.messages: list[Message] = []
        self.faults: list[str] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), Exchange)
        self._server.receiver = self
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?of=test"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def ids(self) -> list[str]:
        return [message.id for message in self.messages]

    @property
    def types(self) -> list[str]:
        return [message.json["type"] for message in self.messages]

    def take(self, exchange: Exchange, headers: dict[str, str], body: bytes) -> None:
        """Judge what came, and answer as the test wants it."""
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self.messages.append(Message(headers.get("webhook-id", ""), headers, body))
            try:
                self._judge(headers, body)
            except Exception as error:  # noqa: BLE001 - whatever it is, the test fails with it
                self.faults.append(f"{type(error).__name__}: {error} {error.__cause__ or ''}: {body[:500]!r}")
        try:
            self.behaviour(exchange)
        finally:
            with self._lock:
                self._at_once -= 1

    def _judge(self, headers: dict[str, str], body: bytes) -> None:
        assert headers["content-type"] == "application/json"
        assert headers["user-agent"].startswith("ticketing")
        assert "authorization" not in headers
        assert any(_verified(secret, headers, body) for secret in self.secrets), "no signature fits"
        if self.format == "standard":
            judge().message(json.loads(body)["type"], headers, body)
        else:
            assert json.loads(body).keys() == CHAT[self.format]


def _verified(secret: str, headers: dict[str, str], body: bytes) -> bool:
    with suppress(WebhookVerificationError):
        Webhook(secret).verify(body, headers)
        return True
    return False


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    receiver: Receiver

    def handle_error(self, request: Any, client_address: Any) -> None:
        """We hang up on purpose, and so does the sender."""


ELSEWHERE = "/elsewhere"
"""Where receivers redirect to."""


class Exchange(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.receiver.take(self, {name.lower(): value for name, value in self.headers.items()}, body)

    def do_GET(self) -> None:
        # Others ask as well: a test that waits for a service at a port that was free a moment ago.
        if self.path == ELSEWHERE:
            self.server.receiver.faults.append("a redirect was followed")
        self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


# How they behave ----------------------------------------------------------------------------------------------------


def answering(status: int = 204, body: bytes = b"", **headers: str) -> Behaviour:
    """An answer at once."""

    def behave(exchange: Exchange) -> None:
        exchange.send_response(status)
        for name, value in headers.items():
            exchange.send_header(name.replace("_", "-"), value)
        if status != 204:
            exchange.send_header("Content-Length", str(len(body)))
        exchange.end_headers()
        exchange.wfile.write(body)

    return behave


def slow(seconds: float) -> Behaviour:
    """An answer after a while."""

    def behave(exchange: Exchange) -> None:
        time.sleep(seconds)
        answering()(exchange)

    return behave


def failing(times: int) -> Behaviour:
    """So many times 500, then all is well."""
    left = iter(range(times))

    def behave(exchange: Exchange) -> None:
        answering(500 if next(left, None) is not None else 204)(exchange)

    return behave


def hanging_up(exchange: Exchange) -> None:
    """No answer at all."""
    exchange.close_connection = True
    exchange.connection.shutdown(socket.SHUT_RDWR)


def broken_off(exchange: Exchange) -> None:
    """The first half of a head."""
    exchange.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Ty")
    hanging_up(exchange)


def broken_off_later(exchange: Exchange) -> None:
    """A whole head, and the first half of a body."""
    exchange.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of")
    hanging_up(exchange)


def babbling(exchange: Exchange) -> None:
    """A body without an end."""
    exchange.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    with suppress(OSError):
        while True:
            exchange.wfile.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


def endless_head(exchange: Exchange) -> None:
    """A head without an end."""
    exchange.wfile.write(b"HTTP/1.1 200 OK\r\n")
    with suppress(OSError):
        while True:
            exchange.wfile.write(b"X-More: " + b"x" * 1000 + b"\r\n")


def endless_interim_answers(exchange: Exchange) -> None:
    """`100 Continue` for ever (RFC 9110, 15.2)."""
    with suppress(OSError):
        while True:
            exchange.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def interim(exchange: Exchange) -> None:
    """Some interim answers, as a server may give, and then one."""
    exchange.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3)
    answering(200, b"ok")(exchange)


def trickling(exchange: Exchange) -> None:
    """A head that comes byte by byte."""
    exchange.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    with suppress(OSError):
        while True:
            exchange.wfile.write(b"y")
            time.sleep(0.05)


def endless_trailers(exchange: Exchange) -> None:
    """A body, and trailers without an end after it."""
    exchange.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n")
    with suppress(OSError):
        while True:
            exchange.wfile.write(b"X-More: " + b"x" * 1000 + b"\r\n")


def no_http(exchange: Exchange) -> None:
    """Something else than HTTP."""
    exchange.wfile.write(b"220 smtp.example ESMTP\r\n")
    hanging_up(exchange)


# Fixtures -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def new_receiver() -> Iterator[Callable[..., Receiver]]:
    """Start a receiver. In the end, all that any was sent has to have been right."""
    receivers: list[Receiver] = []

    def new_receiver(format: str = "standard") -> Receiver:
        receivers.append(Receiver(format))
        return receivers[-1]

    yield new_receiver
    for receiver in receivers:
        receiver.close()
    assert [fault for receiver in receivers for fault in receiver.faults] == []
