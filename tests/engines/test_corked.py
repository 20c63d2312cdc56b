"""One answer, one write."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from urllib.parse import urlsplit

from conftest import served
from ticketing import app
from ticketing.web.wire.corked import Corked


def test_head_and_body_leave_together(service: str) -> None:
    with served(app.create()) as url, _connected(url) as client:
        for _ in range(100):
            client.sendall(b"GET /api/v1/me HTTP/1.1\r\nHost: here\r\n\r\n")
            head, _, body = client.recv(1 << 16).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 401 ")
            assert body.endswith(b"}")


def test_what_is_written_last_arrives_before_the_end(service: str) -> None:
    with served(app.create()) as url, _connected(url) as client:
        client.sendall(b"GET /api/v1/me HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(1 << 16), b""))
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert answer.endswith(b"}")


def test_what_is_dropped_is_not_sent_first() -> None:
    """Also not if the system would have taken it at once."""

    async def sent() -> bytes:
        ours, theirs = socket.socketpair()
        with theirs:
            transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
            corked = Corked(transport, asyncio.get_running_loop(), lambda: False)
            corked.write(b"secret")
            assert corked.drop_unsent()
            await asyncio.sleep(0.01)
            theirs.settimeout(10)
            with suppress(ConnectionError):
                return theirs.recv(100)
        return b""

    assert asyncio.run(sent()) == b""


def _connected(url: str) -> socket.socket:
    address = urlsplit(url)
    assert address.hostname
    assert address.port
    return socket.create_connection((address.hostname, address.port), timeout=10)
