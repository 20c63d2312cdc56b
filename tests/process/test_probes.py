"""The port of a worker: it answers whoever may ask, however many do, and nobody holds it up."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from test_work import free_port

from conftest import await_
from ticketing.contract.forwarded import Networks
from ticketing.db import migrate
from ticketing.db.watched import WatchedConnection
from ticketing.ground.config import Settings
from ticketing.processes import probes
from ticketing.processes.crew import Pulse


class Working(Pulse):
    """The pulse of a process that works for as long as anybody looks."""

    def __bool__(self) -> bool:
        return True


@contextmanager
def answering(url: str, **settings: Any) -> Iterator[int]:
    """The port, for as long as it answers."""
    port = free_port()
    with probes.answered(Settings(database_url=url, **settings), ("127.0.0.1", port), [Working()]):
        yield port


def status(port: int, path: str) -> int:
    return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=20).status_code


def test_readiness_and_figures_are_for_operators(new_database: Callable[..., str]) -> None:
    paths = ("/health/live", "/health/ready", "/metrics", "/elsewhere")
    url = new_database()
    with answering(url) as port:
        assert [status(port, path) for path in paths] == [200, 200, 200, 404]
    with answering(url, operators=Networks("unix,10.0.0.0/8")) as port:
        assert [status(port, path) for path in paths] == [200, 404, 404, 404]


def test_those_who_ask_at_once_are_all_answered_by_few_looks_at_postgresql(
    monkeypatch: pytest.MonkeyPatch, new_database: Callable[..., str]
) -> None:
    looks = 0
    connect = WatchedConnection.connect

    async def counted(*args: Any, **options: Any) -> WatchedConnection:
        nonlocal looks
        looks += 1
        return await connect(*args, **options)

    monkeypatch.setattr(WatchedConnection, "connect", counted)
    monkeypatch.setattr(probes, "KEPT_SECONDS", 60.0)
    with answering(new_database()) as port, ThreadPoolExecutor(100) as askers:
        assert set(askers.map(lambda _: status(port, "/health/ready"), range(200))) == {200}
    assert looks == 1


def test_what_was_in_the_way_is_told_no_longer_than_it_is(
    monkeypatch: pytest.MonkeyPatch, new_database: Callable[..., str]
) -> None:
    monkeypatch.setattr(probes, "KEPT_SECONDS", 0.1)
    url = new_database("template0")
    with answering(url) as port:
        response = httpx.get(f"http://127.0.0.1:{port}/health/ready")
        assert (response.status_code, "Run `ticketing migrate`." in response.text) == (503, True)
        asyncio.run(migrate.migrate(url))
        await_(lambda: status(port, "/health/ready") == 200)


def test_who_sends_half_a_request_makes_room_for_others(
    monkeypatch: pytest.MonkeyPatch, new_database: Callable[..., str]
) -> None:
    monkeypatch.setattr(probes, "AT_ONCE", 4)
    monkeypatch.setattr(probes, "OPEN_SECONDS", 0.2)
    with answering(new_database()) as port, ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(socket.create_connection(("127.0.0.1", port))).sendall(
                b"GET /health/ready HTTP/1.1\r\n"
            )
        assert status(port, "/health/ready") == 200


def test_who_hangs_up_leaves_no_traceback(new_database: Callable[..., str], capfd: pytest.CaptureFixture[str]) -> None:
    with answering(new_database()) as port:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        await_(lambda: status(port, "/metrics") == 200)
    assert "Traceback" not in capfd.readouterr().err
