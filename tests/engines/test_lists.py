"""A page of tickets reads about a page, whoever asks: nobody's list is a walk through all tickets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

import corpus
import lists

TICKETS = 10_000
MOST = 400
"""Rows and entries of indexes; a page has 26 tickets, and each of its people is a row more."""


@pytest.fixture(scope="module")
def filled(new_database: Callable[..., str], slowly: None) -> str:
    url = new_database()
    corpus.fill(url, corpus.Plan(TICKETS))
    return url


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("question", ["all, -created", "all, -created, from the middle"])
@pytest.mark.parametrize("reader", [name for name in lists.readers() if name != "token of 1 project"])
def test_a_page_reads_about_a_page(filled: str, reader: str, question: str, mode: str) -> None:
    """Also where PostgreSQL has planned the statement for all values at once, as it does for the sixth page."""
    actor = lists.readers()[reader]
    ask = lists.lists()[question]

    async def asked() -> tuple[int, Any]:
        async with await psycopg.AsyncConnection.connect(filled, row_factory=dict_row) as conn:
            await conn.execute(f"set plan_cache_mode = {mode}".encode())
            before = await lists.rows_read(conn)
            found = await ask(conn, actor)
            return await lists.rows_read(conn) - before, found

    rows, found = asyncio.run(asked())
    assert len(found) == 26
    assert rows <= MOST
