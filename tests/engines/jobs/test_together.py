"""Questions that come up together share a statement."""

from __future__ import annotations

import asyncio

import pytest

from ticketing.jobs.together import Together


def test_those_who_come_while_it_asks_share_the_next_question_and_one_reply_is_for_one() -> None:
    """A job that was announced twice is claimed once, and so is done once."""
    asked: list[list[int]] = []

    async def reply(numbers: list[int]) -> dict[int, str]:
        asked.append(numbers)
        await asyncio.sleep(0)
        return {number: str(number) for number in numbers if number > 0}

    async def ask() -> list[str | None]:
        together = Together(reply)
        first = asyncio.create_task(together.ask(1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return await asyncio.gather(first, *(together.ask(number) for number in (2, 2, 3, -1)))

    assert asyncio.run(ask()) == ["1", "2", None, "3", None]
    assert asked == [[1], [2, 2, 3, -1]]


def test_what_went_wrong_is_told_to_all_who_asked() -> None:
    async def reply(_: list[int]) -> dict[int, str]:
        raise ZeroDivisionError

    async def ask() -> tuple[BaseException | str | None, ...]:
        together = Together(reply)
        return await asyncio.gather(together.ask(1), together.ask(2), return_exceptions=True)

    for error in asyncio.run(ask()):
        with pytest.raises(ZeroDivisionError):
            raise error  # type: ignore[misc]
