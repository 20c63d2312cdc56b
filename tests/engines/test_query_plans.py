"""A query reads what the filters of the same meaning read: no walk through all tickets, whoever asks for whatever."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from test_lists import MOST, filled

import lists
from ticketing.query.fields import SORTS

__all__ = ["filled"]
FIELDS: dict[str, Callable[[Any], str]] = {
    "tags": lambda tags: " ".join(f"tag:{tag}" for tag in tags),
    "assignee_ids": lambda ids: f"assignee:{','.join(map(str, ids))}",
    "requester_ids": lambda ids: f"requester:{','.join(map(str, ids))}",
    "created_since": lambda moment: f"created:>={moment.isoformat()}",
    "created_before": lambda moment: f"created:<{moment.isoformat()}",
    "updated_since": lambda moment: f"updated:>={moment.isoformat()}",
    "updated_before": lambda moment: f"updated:<{moment.isoformat()}",
    "escalated": lambda escalated: f"escalated:{str(escalated).lower()}",
    "no_category": lambda _: "category:none",
    "no_reference": lambda _: "external_reference:none",
    "external_sources": lambda _: "external_reference:zendesk:acme#7",
    "external_ids": lambda _: "",
    "numbered": lambda _: "",
    "words": lambda words: " ".join(f"title:{word}" for word in re.findall(r"\w+", words)),
}


def query_of(filters: dict[str, Any]) -> str:
    """The query that asks for the same as these filters."""
    if "no_assignee" in filters:
        ids = ",".join([*map(str, filters.get("assignee_ids", ())), "none"])
        filters = {name: value for name, value in filters.items() if "assignee" not in name} | {"assignee_ids": [ids]}
    return " ".join(
        FIELDS[name](value) if name in FIELDS else f"{name}:{','.join(value)}" for name, value in filters.items()
    )


@pytest.mark.parametrize("reader", lists.readers())
def test_a_query_finds_and_reads_what_filters_find_and_read(filled: str, reader: str) -> None:
    actor = lists.readers()[reader]

    async def compared() -> dict[str, Any]:
        odd = {}
        async with await psycopg.AsyncConnection.connect(filled, row_factory=dict_row, options="-c jit=off") as conn:
            for name, filters in lists.ASKED.items():
                if "numbered" in filters:  # Which a title of the language is not.
                    continue
                for sort in (each for each in SORTS if each.startswith("-")):
                    rows, read = await lists.read_of(conn, lists.listed(sort, q=query_of(filters)), actor)
                    same, _ = await lists.read_of(conn, lists.listed(sort, **filters), actor)
                    if rows != same or read.scans or read.blocks > MOST:
                        odd[f"{name}, {sort}"] = ("another page" if rows != same else "", read)
        return odd

    assert asyncio.run(compared()) == {}
