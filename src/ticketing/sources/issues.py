"""What every source is read into: issues as tickets will have them, and what could not be read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ticketing.db import sql


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """Something said on an issue.

    `id` is the source's own, and empty if the file has none. `occasion` says who said it when, and which one it is of
    those they said in that second: it finds the comment again in a file without ids.
    """

    id: str
    occasion: str
    author: str
    body: str
    created_at: datetime
    visibility: sql.CommentVisibility | None = None

    @property
    def name(self) -> str:
        """What it is stored under: its id, or else the occasion."""
        return self.id or self.occasion


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """An issue in our words. People are named as the source names them; `closed_at` is None while it is open.

    `absent` are the fields that its entry does not have: it says nothing of them, not even that they are empty.
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
    """What tells an issue from others: its place in the file, from 0 on, its number, and who opened it when."""

    index: int
    id: str
    author: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Issues:
    """Issues in the order of their numbers, each read from its file when it is looked at: few are in memory at once."""

    read: Callable[[int], Issue]
    heads: list[Head] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.heads)

    def __iter__(self) -> Iterator[Issue]:
        return (self.read(head.index) for head in self.heads)


@dataclass(frozen=True, slots=True)
class Bad:
    """What is not imported: its place in the file, from 0 on, the issue's number if it has one, and why.

    With `comment`, the comment at this place (from 0 on) is left out, and the issue is imported.
    """

    index: int
    number: str | None
    reason: str
    comment: int | None = None


@dataclass(slots=True)
class Notes:
    """What an import changes or leaves out, and of which issues: a sentence each, with the numbers it is true of."""

    issues: dict[str, list[str]] = field(default_factory=dict)

    def add(self, sentence: str, issue: str) -> None:
        """Note something of an issue; saying it of an issue once more counts once more."""
        self.issues.setdefault(sentence, []).append(issue)

    def extend(self, other: Notes) -> None:
        """Note all that the other has noted."""
        for sentence, issues in other.issues.items():
            self.issues.setdefault(sentence, []).extend(issues)

    def entries(self) -> list[dict[str, Any]]:
        """For machines: each sentence, how often it is true, and of which issues."""
        return [
            {"note": sentence, "count": len(issues), "issues": list(dict.fromkeys(issues))}
            for sentence, issues in sorted(self.issues.items())
        ]


@dataclass(frozen=True, slots=True)
class Source:
    """Where issues come from: the system whose people they name, and the name that tells its issues from others."""

    system: str
    name: str


@dataclass(frozen=True, slots=True)
class Rules:
    """How a project takes issues.

    Its types; the type of an issue whose labels do not tell; and the present moment, as nothing happens after it.
    """

    types: Collection[str]
    default_type: sql.TicketType
    now: datetime


Entry = Mapping[str, Any]
"""A thing as the source's file has it."""
