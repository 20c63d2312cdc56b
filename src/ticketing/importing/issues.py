"""What every source is read into: issues as tickets will have them, and what could not be read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from ticketing import sql


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """Something said on an issue; `id` tells it from the others there."""

    id: str
    author: str
    body: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """An issue in our words. People are named as the source names them; `closed_at` is None while it is open."""

    index: int
    id: str
    type: sql.TicketType
    title: str
    description: str
    tags: list[str]
    author: str
    assignee: str | None
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    resolution: sql.TicketResolution
    comments: list[Comment]


@dataclass(frozen=True, slots=True)
class Bad:
    """An entry that is not imported: its place in the file, from 0 on, its number if it has one, and why."""

    index: int
    number: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where issues come from: the system whose people they name, and the name that tells its issues from others."""

    system: str
    name: str


@dataclass(frozen=True, slots=True)
class Rules:
    """How a project takes issues: the types it has, and the type of an issue whose labels do not tell."""

    types: Collection[str]
    default_type: sql.TicketType
