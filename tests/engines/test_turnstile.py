"""Whoever has to wait gets in by turns."""

from __future__ import annotations

import asyncio

import pytest

from ticketing.contract.turnstile import Turnstile


def test_one_who_asks_for_little_does_not_wait_behind_one_who_asks_for_much() -> None:
    async def run() -> list[str]:
        turnstile = Turnstile(1)
        entered: list[str] = []

        async def pass_through(asker: str) -> None:
            await turnstile.acquire(asker)
            entered.append(asker)
            await asyncio.sleep(0)
            turnstile.release(asker)

        await turnstile.acquire("first")
        waiting = [asyncio.create_task(pass_through(asker)) for asker in ["greedy"] * 50 + ["modest", "other"]]
        await asyncio.sleep(0)
        turnstile.release("first")
        await asyncio.gather(*waiting)
        assert turnstile.open_to("anybody")
        return entered

    entered = asyncio.run(run())
    assert entered[:4] == ["greedy", "modest", "other", "greedy"]
    assert len(entered) == 52


@pytest.mark.parametrize(("size", "most"), [(1, 1), (2, 2), (4, 3), (8, 6), (20, 15)])
def test_one_who_stays_leaves_something_to_others(size: int, most: int) -> None:
    async def run() -> None:
        turnstile = Turnstile(size)
        waiting = [asyncio.create_task(turnstile.acquire("greedy")) for _ in range(100)]
        await asyncio.sleep(0)
        assert sum(each.done() for each in waiting) == most
        assert turnstile.open_to("modest") is (most < size)
        assert turnstile.open_to(None) is (most < size)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for _ in range(most):
            turnstile.release("greedy")
        assert (turnstile._inside, len(turnstile._waiting), turnstile._free) == ({}, 0, size)

    asyncio.run(run())


def test_an_asker_may_hold_so_many_however_many_are_free() -> None:
    async def run() -> None:
        turnstile = Turnstile(8, 1)
        assert turnstile.enter("greedy") and not turnstile.enter("greedy")
        second = asyncio.create_task(turnstile.acquire("greedy"))
        assert turnstile.enter("modest") and turnstile.enter(None) and turnstile.enter(None)
        await asyncio.sleep(0)
        assert not second.done()
        turnstile.release("greedy")
        await second

    asyncio.run(run())


def test_who_gives_up_takes_nobodys_turn() -> None:
    async def run() -> None:
        turnstile = Turnstile(1)
        await turnstile.acquire("holder")
        waiting = [asyncio.create_task(turnstile.acquire(asker)) for asker in "aab"]
        await asyncio.sleep(0)
        waiting[0].cancel()
        turnstile.release("holder")
        waiting[1].cancel()  # It was let in just now, and never learns it.
        await asyncio.gather(*waiting[:2], return_exceptions=True)
        await asyncio.wait_for(waiting[2], 5)
        assert not turnstile.open_to("c")
        turnstile.release("b")
        assert turnstile.open_to("c")

    asyncio.run(run())
