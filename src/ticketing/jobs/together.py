"""Batching: questions that arrive while a statement is under way share the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Question = TypeVar("Question")
Reply = TypeVar("Reply")


class Together(Generic[Question, Reply]):
    """Batches questions; a lone question is asked at once. Of several that ask the same, one gets the reply."""

    def __init__(self, reply: Callable[[list[Question]], Awaitable[dict[Question, Reply]]]) -> None:
        self._reply = reply
        self._waiting: list[tuple[Question, asyncio.Future[Reply | None]]] = []
        self._asking: asyncio.Task[None] | None = None

    async def ask(self, question: Question) -> Reply | None:
        """The reply, or None if this question has none. Raises what the statement raised."""
        future: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        return await future

    async def _ask(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                replies = await self._reply([question for question, _ in batch])
            except Exception as error:  # noqa: BLE001 (whatever it is, it is for those who asked)
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for question, future in batch:
                    if not future.done():
                        future.set_result(replies.pop(question, None))
        self._asking = None
