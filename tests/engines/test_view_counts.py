"""The views that come with the service are counted without a walk through all tickets, whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from test_lists import filled

import lists
from ticketing.access.actors import Actor
from ticketing.db import pool
from ticketing.db.sql import Connection
from ticketing.rules import views

__all__ = ["filled"]
MOST = 1_500
"""Pages of the database, for the count of any view: a walk through all tickets takes 30,000."""
OF_CRITICAL = 200
"""Those of its index alone."""
SESSION = " ".join(f"-c {name}={value}" for name, value in {**pool.SESSION, **pool.ASKING}.items())


def counted(ids: Collection[str]) -> lists.Question:
    async def ask(conn: Connection, actor: Actor) -> Any:
        return (await views.counts(conn, actor, ids))["items"]

    return ask


@pytest.mark.parametrize("reader", [name for name in lists.readers() if name != "anonymous"])
def test_the_side_bar_is_counted_by_indexes(filled: str, reader: str) -> None:
    actor = lists.readers()[reader]

    async def read() -> dict[str, Any]:
        odd = {}
        async with await psycopg.AsyncConnection.connect(filled, row_factory=dict_row, options=SESSION) as conn:
            await conn.set_autocommit(True)
            for view in views.PRESETS:
                found, read = await lists.read_of(conn, counted([str(view["id"])]), actor)
                told = [each["problem"] for each in found]
                # A walk that ends with the first thousand is none.
                most = OF_CRITICAL if view["preset"] == "critical" else MOST
                if read.blocks > most or any(told):
                    odd[str(view["name"])] = (read, told)
        return odd

    assert asyncio.run(read()) == {}
