"""What a query names: projects, categories and people, with the eyes of who asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from ticketing.access import filters
from ticketing.access.actors import Actor
from ticketing.db import sql
from ticketing.query import compiling
from ticketing.query.compiling import Reader
from ticketing.query.fields import FIELDS, is_id, is_me, is_none
from ticketing.query.fulltext import Staffed
from ticketing.query.parsing import PARAMETER
from ticketing.query.tree import Filter, Query, Value


class People(NamedTuple):
    """Who is meant by the names and addresses of a query, and those of them that are nobody's."""

    meant: Mapping[str, list[UUID]]
    nobody: list[filters.Named]


async def people(conn: sql.Connection, actor: Actor, query: Query) -> People:
    """Look up people by name, or by e-mail address, which staff alone see of others."""
    values = [value for clause, value in _named(query) if _is_name(clause, value)]
    if not values:
        return People({}, [])
    words = sorted({value.text for value in values})
    rows = await sql.filters.list_people_named(conn, names=words, emails=[word for word in words if "@" in word])
    meant = await _seen(conn, actor, rows)
    if parts := [word for word in words if word not in meant and not word.isspace()]:
        rows = await sql.filters.list_people_like(conn, parts=parts, by_email=actor.staffs_any, most=MOST_LIKE)
        meant |= await _seen(conn, actor, rows)
    return People(meant, [_name("user", value) for value in values if value.text not in meant])


MOST_LIKE = 100
"""Most people whom a part of a name stands for."""


async def _seen(conn: sql.Connection, actor: Actor, rows: Sequence[sql.PersonNamed]) -> dict[str, list[UUID]]:
    """Those of them whom the actor may know, by the word that stands for them."""
    seen = [row for row in rows if actor.staffs_any or not row["by_email"] or row["id"] == actor.id]
    found = [(str(row["word"]), UUID(str(row["id"]))) for row in seen]
    hidden: set[str | None] = set()
    if not actor.staffs_any:
        ids = [id_ for _, id_ in found]
        missing = await sql.filters.list_hidden(conn, **actor.viewer(), projects=[], categories=[], users=ids)
        hidden = {row["key"] for row in missing}
    meant: dict[str, list[UUID]] = {}
    for word, id_ in found:
        if str(id_) not in hidden and id_ not in meant.setdefault(word, []):
            meant[word].append(id_)
    return {word: ids for word, ids in meant.items() if ids}


async def reader(conn: sql.Connection, actor: Actor, query: Query, people: People) -> Reader:
    """For whom a query is compiled."""
    staffed = Staffed(sorted(actor.projects), actor.everywhere)
    return Reader(actor.id, people.meant, datetime.now(UTC), await _time_zone(conn, actor, query), staffed)


async def _time_zone(conn: sql.Connection, actor: Actor, query: Query) -> tzinfo:
    """Where the days of a query begin for the actor, if it has any."""
    if actor.id is None or not compiling.has_days(query):
        return UTC
    profile: Any = await sql.users.get_profile(conn, user_id=actor.id)
    return ZoneInfo(profile["preferences"]["time_zone"] or "UTC") if profile else UTC


def named(query: Query, *, borne: Sequence[sql.TicketRow]) -> list[filters.Named]:
    """What the query names by key or id, but for what these tickets bear."""
    return [
        name
        for clause, value in _named(query)
        if FIELDS[clause.name].kind == "key" or is_id(value.text)
        if (name := _name(KINDS[clause.name], value)).key not in _borne(clause.name, borne)
    ]


def _borne(field: str, rows: Sequence[sql.TicketRow]) -> set[str | None]:
    if FIELDS[field].kind == "person":
        return {person["id"] for row in rows if (person := row[field])}  # type: ignore[literal-required]
    return {row[field] for row in rows}  # type: ignore[literal-required]


KINDS = {"project": "project", "category": "category", "assignee": "user", "requester": "user"}


def _named(query: Query) -> Iterator[tuple[Filter, Value]]:
    """The values that name something, with their clauses."""
    for clause in query.clauses:
        if isinstance(clause, Filter) and (field := FIELDS[clause.name]).kind in ("key", "person"):
            for value in clause.values:
                if not is_none(field, value) and not is_me(field, value):
                    yield clause, value


def _is_name(clause: Filter, value: Value) -> bool:
    return FIELDS[clause.name].kind == "person" and not is_id(value.text)


def _name(kind: str, value: Value) -> filters.Named:
    key = value.text.lower() if is_id(value.text) else value.text
    return filters.Named(PARAMETER, kind, key, value.span)
