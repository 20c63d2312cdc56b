"""A page of tickets reads about a page, whoever asks for whatever: nobody's list is a walk through all tickets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

import corpus
import lists

TICKETS = 30_000
"""Of so many PostgreSQL looks at each for its statistics, so that a plan is the same in each run."""
A_PAGE = 400
"""Rows and entries of indexes; a page has 26 tickets, and each of its people is a row more."""
MOST = 6_000
"""Pages of the database, for any list: a walk through all tickets, in any order but that of the table, takes 30,000."""


@pytest.fixture(scope="module")
def filled(new_database: Callable[..., str], slowly: None) -> str:
    url = new_database()
    corpus.fill(url, corpus.Plan(TICKETS, comments=0.2), processes=2)
    return url


def reads(url: str, reader: str, mode: str, *questions: str) -> dict[str, tuple[Any, lists.Read]]:
    """What a reader's questions find, and what they read."""

    async def asked() -> dict[str, tuple[Any, lists.Read]]:
        async with await psycopg.AsyncConnection.connect(url, row_factory=dict_row, options="-c jit=off") as conn:
            await conn.execute(f"set plan_cache_mode = {mode}".encode())
            actor = lists.readers()[reader]
            return {name: await lists.read_of(conn, lists.lists()[name], actor) for name in questions}

    return asyncio.run(asked())


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("question", ["all, -created", "all, -created, from the middle"])
@pytest.mark.parametrize("reader", lists.readers())
def test_a_page_reads_about_a_page(filled: str, reader: str, question: str, mode: str) -> None:
    """Also where PostgreSQL has planned the statement for all values at once, as it does for the sixth page."""
    ((found, read),) = reads(filled, reader, mode, question).values()
    assert len(found) == 26
    assert read.rows <= A_PAGE


@pytest.mark.parametrize("reader", lists.readers())
def test_no_list_reads_through_all_tickets(filled: str, reader: str) -> None:
    """Every filter by every sort, as the service asks for it: planned for its values."""
    found = reads(filled, reader, "auto", *lists.lists())
    assert {name: read for name, (_, read) in found.items() if read.scans} == {}
    greedy = {name: read for name, (_, read) in found.items() if read.blocks > MOST}
    assert greedy == {}


STEADY = (
    *("open", "closed", "unfinished", "ended", "bugs", "urgent", "critical", "spam", "unfinished, critical"),
    *("of an assignee", "without assignee", "a queue", "a queue, urgent", "unfinished, unassigned"),
    *("of a requester", "of a requester with many", "unfinished of a requester", "ended of an assignee"),
)
"""Lists by age that the service plans once for all values, for who sees everything."""


def test_what_is_planned_once_reads_no_more_than_what_is_planned_for_its_values(filled: str) -> None:
    names = [f"{name}, {sort}" for name in STEADY for sort in ("created", "-created")]
    once = reads(filled, "agent of all", "force_generic_plan", *names)
    each = reads(filled, "agent of all", "force_custom_plan", *names)
    assert {name: found for name, (found, _) in once.items()} == {name: found for name, (found, _) in each.items()}
    more = {name: (once[name][1].blocks, each[name][1].blocks) for name in names}
    assert {name: blocks for name, blocks in more.items() if blocks[0] > blocks[1] + A_PAGE} == {}


@pytest.mark.parametrize("sort", ["created", "-created", "updated", "-updated"])
@pytest.mark.parametrize("name", ["of a requester with many", "unfinished of a requester"])
def test_ones_own_tickets_are_read_in_the_order_of_the_list(filled: str, name: str, sort: str) -> None:
    """However many they are, and however old: they are neither all sorted, nor looked for among everybody's."""
    ((found, read),) = reads(filled, "requester of many old", "auto", f"{name}, {sort}").values()
    assert len(found) == 26
    assert read.blocks <= A_PAGE
