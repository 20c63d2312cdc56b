"""Long bodies are worked on beside the loop, one at a time, and their senders take turns."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ticketing.contract.desk import LONG_BYTES, Desk
from ticketing.contract.exchange import Exchange


def exchange(asker: str) -> Exchange:
    return cast("Exchange", SimpleNamespace(place=SimpleNamespace(asker=asker)))


def test_senders_of_long_bodies_take_turns_and_one_is_worked_on_at_a_time() -> None:
    begun: list[str] = []
    working = threading.Lock()
    first = threading.Event()

    def work(sender: str) -> str:
        with_lock = working.acquire(blocking=False)
        begun.append(sender)
        first.wait(10)
        if with_lock:
            working.release()
        return sender if with_lock else "two at a time"

    async def run() -> list[Any]:
        desk = Desk()
        senders = ["greedy"] * 30 + ["modest", "other"]
        done = [
            asyncio.create_task(desk.done(exchange(each), LONG_BYTES + 1, lambda each=each: work(each)))  # type: ignore[misc]
            for each in senders
        ]
        await asyncio.sleep(0)
        first.set()  # The loop runs on while the first is worked on, or this would never be reached.
        assert await asyncio.gather(*done) == senders
        return begun

    assert asyncio.run(run())[:4] == ["greedy", "greedy", "modest", "other"]


def test_a_short_body_waits_for_no_long_one() -> None:
    async def run() -> None:
        desk, end = Desk(), threading.Event()
        long = asyncio.create_task(desk.done(exchange("greedy"), LONG_BYTES + 1, lambda: end.wait(10)))
        await asyncio.sleep(0)
        assert await desk.done(exchange("greedy"), LONG_BYTES, lambda: "short") == "short"
        assert not long.done()
        end.set()
        assert await long

    asyncio.run(run())


def test_what_is_raised_reaches_the_request_and_frees_the_desk() -> None:
    def fail() -> None:
        raise LookupError

    async def run() -> None:
        desk = Desk()
        for _ in range(2):
            with pytest.raises(LookupError):
                await desk.done(exchange("one"), LONG_BYTES + 1, fail)

    asyncio.run(run())
