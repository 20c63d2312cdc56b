"""The filters of `GET /tickets` as clauses of the query language: they are sugar for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ticketing.query.fields import NONE
from ticketing.query.tree import Comparison, Filter, Value

LISTS = {
    "project": "project",
    "type": "type",
    "status": "status",
    "resolution": "resolution",
    "priority": "priority",
    "severity": "severity",
    "channel": "channel",
    "category": "category",
    "assignee_ids": "assignee",
    "requester_ids": "requester",
}
"""Filters of which a ticket has to have one value, and their fields."""
ABSENT = {"category": "no_category", "assignee_ids": "no_assignee"}
"""Those that `none` is a value of, and what says that it is given."""
LIMITS: Mapping[str, tuple[str, Comparison]] = {
    "created_since": ("created", ">="),
    "created_before": ("created", "<"),
    "updated_since": ("updated", ">="),
    "updated_before": ("updated", "<"),
}


def clauses(wanted: Mapping[str, Any]) -> tuple[Filter, ...]:
    """What these filters ask for, but for words of titles, which the language does not take for numbers as well."""
    return tuple(_clauses(wanted))


def _clauses(wanted: Mapping[str, Any]) -> Iterator[Filter]:
    for name, field in LISTS.items():
        yield from _one_of(field, wanted[name], none=name in ABSENT and bool(wanted[ABSENT[name]]))
    for tag in wanted["tags"] or ():
        yield Filter("tag", (Value(tag, literal=True),))
    references = zip(wanted["external_sources"] or (), wanted["external_ids"] or (), strict=True)
    yield from _one_of("external_reference", map("#".join, references), none=wanted["no_reference"])
    if wanted["escalated"] is not None:
        yield Filter("escalated", (Value(str(wanted["escalated"]).lower()),))
    for name, (field, comparison) in LIMITS.items():
        if wanted[name] is not None:
            yield Filter(field, (Value(wanted[name].isoformat(), comparison),))


def _one_of(field: str, values: Iterable[Any] | None, *, none: bool) -> Iterator[Filter]:
    found = [Value(str(value)) for value in values or ()] + ([Value(NONE)] if none else [])
    if found:
        yield Filter(field, tuple(found))
