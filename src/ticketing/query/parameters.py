"""The values of what is compiled."""

from __future__ import annotations

from typing import Any

from ticketing.db.queries import Compiled


class Parameters:
    """The values of a part of a statement, each with the place that stands for it."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def of(self, value: Any, type_: str) -> str:
        """The place of a value."""
        self.values.append(value)
        return f"${len(self.values)}::{type_}"

    def within(self, text: str, *, steady: bool = False) -> Compiled:
        """The part, with its values, and whether one plan serves them all."""
        return Compiled(text, tuple(self.values), steady)
