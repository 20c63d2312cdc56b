"""Bodies that go on and on: sent piece by piece, ended by either side, and left in order however they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from contract.asking import http_scope
from contract.sample import library

from ticketing.contract import Line, Stream, exchange


class Ticks:
    """A stream of ticks that ends when it is told to, or after so many."""

    def __init__(self, count: int | None = None, fault: Exception | None = None) -> None:
        self._count = count
        self._fault = fault
        self._ended = asyncio.Event()
        self.line: Line | None = None
        self.open = False

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Ticks]:
        self.open = True
        try:
            yield self
        finally:
            self.open = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"tick\n"
        if self._fault:
            raise self._fault
        if self._count is None:
            await self._ended.wait()
        for _ in range((self._count or 1) - 1):
            yield b"tick\n"

    def end(self) -> None:
        self._ended.set()


async def exchanged(
    ticks: Ticks,
    method: str = "GET",
    send: Callable[[Any], Any] | None = None,
    refusal: Exception | None = None,
) -> tuple[list[Any], list[int]]:
    """What is sent to a client that hangs up once it has a piece, and what is observed."""
    sent: list[Any] = []
    seen: list[int] = []
    got_one = asyncio.Event()

    @asynccontextmanager
    async def opened() -> AsyncIterator[Ticks]:
        if refusal:
            raise refusal
        async with ticks.opened() as pieces:
            yield pieces

    async def get_opening_hours() -> Stream:
        return Stream(opened(), "text/plain", {"X-Accel-Buffering": "no"})

    async def receive() -> Any:
        await got_one.wait()
        return {"type": "http.disconnect"}

    async def note(message: Any) -> None:
        sent.append(message)
        if message.get("body"):
            got_one.set()

    application = library.application(
        handlers={**library.HANDLERS, "get_opening_hours": get_opening_hours},
        observe=lambda *, status, **_: seen.append(status),
    )
    await application(http_scope(method, b"/api/v1/opening-hours", b"", []), receive, send or note)
    assert not ticks.open
    return sent, seen


def test_pieces_are_sent_as_they_come() -> None:
    async def within() -> None:
        sent, seen = await exchanged(Ticks(3))
        head, *pieces, last = sent
        assert head["status"] == 200
        assert {
            (b"content-type", b"text/plain"),
            (b"x-accel-buffering", b"no"),
            (b"cache-control", b"no-store"),
        } <= set(head["headers"])
        assert b"content-length" not in dict(head["headers"])
        assert [(piece["body"], piece["more_body"]) for piece in pieces] == [(b"tick\n", True)] * 3
        assert (last["body"], last.get("more_body", False)) == (b"", False)
        assert seen == [200]

    asyncio.run(within())


def test_it_ends_when_the_client_is_gone() -> None:
    async def within() -> None:
        async with asyncio.timeout(10):
            sent, seen = await exchanged(Ticks())
        assert (sent[1]["body"], seen) == (b"tick\n", [200])

    asyncio.run(within())


def test_head_takes_no_piece() -> None:
    async def within() -> None:
        sent, seen = await exchanged(Ticks(), "HEAD")
        assert [message.get("body") for message in sent] == [None, b""]
        assert seen == [200]

    asyncio.run(within())


def test_it_does_not_wait_for_a_client_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "STALL_SECONDS", 0.01)

    async def within() -> None:
        async def stuck(message: Any) -> None:
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        _, seen = await exchanged(Ticks(), send=stuck)
        assert seen == [499]

    asyncio.run(within())


def test_what_cannot_be_opened_is_refused_as_ever() -> None:
    async def within() -> None:
        sent, seen = await exchanged(Ticks(), refusal=library.NotFound("There is no clock."))
        assert (sent[0]["status"], seen) == (404, [404])
        assert b"There is no clock." in sent[1]["body"]

    asyncio.run(within())


def test_a_fault_on_the_way_breaks_it_off(caplog: pytest.LogCaptureFixture) -> None:
    async def within() -> None:
        with pytest.raises(RuntimeError, match="spring"):
            await exchanged(Ticks(fault=RuntimeError("the spring broke")))

    asyncio.run(within())
    assert "get_opening_hours failed" in caplog.text
