"""The common form into which every source is read: issues in the product's words, and entries that are bad."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ticketing.db import sql


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment on an issue.

    `id` is the source's own, and empty if the file has none. `occasion` is the author, the time, and the comment's
    position among those the author wrote in that second: it identifies the comment in a file without ids.
    """

    id: str
    occasion: str
    author: str
    body: str
    created_at: datetime
    visibility: sql.CommentVisibility | None = None

    @property
    def name(self) -> str:
        """The key under which it is stored: its id, or else its occasion."""
        return self.id or self.occasion


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """An issue in the product's words. People have the source's names; `closed_at` is None while it is open.

    `absent` are the fields that its entry lacks: it says nothing of them, not even that they are empty.
    """

    index: int
    id: str
    type: sql.TicketType
    title: str
    description: str
    tags: list[str]
    environment: dict[str, str]
    author: str
    assignee: str | None
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    resolution: sql.TicketResolution
    comments: list[Comment]
    absent: frozenset[str]


@dataclass(frozen=True, slots=True)
class Head:
    """What identifies an issue: its position in the file, counted from 0, its number, its author and its creation."""

    index: int
    id: str
    author: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Issues:
    """Issues in the order of their numbers, each read from its file on access: few are in memory at once."""

    read: Callable[[int], Issue]
    heads: list[Head] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.heads)

    def __iter__(self) -> Iterator[Issue]:
        return (self.read(head.index) for head in self.heads)


@dataclass(frozen=True, slots=True)
class Bad:
    """A bad entry: its position in the file, counted from 0, the issue's number if it has one, and the reason.

    With `comment`, only the comment at this position (counted from 0) is left out, and the issue is imported.
    """

    index: int
    number: str | None
    reason: str
    comment: int | None = None


@dataclass(slots=True)
class Notes:
    """What an import changes or leaves out: sentences, each with the numbers of the issues that it is true of."""

    issues: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, sentence: str, issue: str, times: int = 1) -> None:
        """Note a sentence about an issue; noting it again for the same issue counts again."""
        self.issues.setdefault(sentence, Counter())[issue] += times

    def extend(self, other: Notes) -> None:
        """Add all notes of the other."""
        for sentence, issues in other.issues.items():
            self.issues.setdefault(sentence, Counter()).update(issues)

    def entries(self) -> list[dict[str, Any]]:
        """For machines: each sentence, how often it is true, and for which issues."""
        return [
            {"note": sentence, "count": issues.total(), "issues": list(issues)}
            for sentence, issues in sorted(self.issues.items())
        ]


@dataclass(frozen=True, slots=True)
class Source:
    """Where issues come from: the system whose people they name, and the name that identifies its issues."""

    system: str
    name: str


@dataclass(frozen=True, slots=True)
class Rules:
    """How a project takes issues: its types, the type of issues whose labels give none, and the current time.

    Nothing may have happened after the current time.
    """

    types: Collection[str]
    default_type: sql.TicketType
    now: datetime


Entry = Mapping[str, Any]
"""An object from the source's file."""
