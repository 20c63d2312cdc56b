"""The tree of a query. `str()` writes it in its canonical form, of which the parser makes the same tree."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

BARE = re.compile(r'[^\s",()<>:][^\s",()]*')
"""A value that needs no quotes."""


class Span(NamedTuple):
    """Where something stands in a text, in characters."""

    offset: int
    length: int


NOWHERE = Span(0, 0)
Comparison = Literal["", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a filter, and how what the ticket has compares with it: without a comparison, it is the value."""

    text: str
    comparison: Comparison = ""
    literal: bool = False
    """Whether it stands in quotes where these have a meaning: `"me"` is somebody of that name."""
    span: Span = field(default=NOWHERE, compare=False)

    def __str__(self) -> str:
        bare = not self.literal and BARE.fullmatch(self.text)
        return self.comparison + (self.text if bare else quoted(self.text))


@dataclass(frozen=True, slots=True)
class Filter:
    """What a field has to be: one of the values, or, negated, none of them."""

    name: str
    values: tuple[Value, ...]
    negated: bool = False
    span: Span = field(default=NOWHERE, compare=False)

    def __str__(self) -> str:
        return f"{'-' * self.negated}{self.name}:{','.join(map(str, self.values))}"


@dataclass(frozen=True, slots=True)
class Text:
    """A word, its beginning, or a phrase that is looked for, or, negated, must not be there."""

    text: str
    phrase: bool = False
    negated: bool = False
    begins: bool = False
    span: Span = field(default=NOWHERE, compare=False)

    def __str__(self) -> str:
        return "-" * self.negated + (quoted(self.text) if self.phrase else self.text + "*" * self.begins)


@dataclass(frozen=True, slots=True)
class Query:
    """Clauses, all of which a ticket has to match, and what to sort by, if that is said."""

    clauses: tuple[Filter | Text, ...] = ()
    sort: str | None = None

    def __str__(self) -> str:
        return " ".join([*map(str, self.clauses), *([f"sort:{self.sort}"] if self.sort else [])])


def quoted(text: str) -> str:
    """The text in quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
