"""Text is looked for by its indexes, a month at a time: nobody's search is a walk through a table."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

import corpus
import lists
from ticketing.db import pool
from ticketing.rules import tickets

TICKETS = 12_000
DOCUMENTS = """
with every as (
    select t.number, d.* from tickets t cross join lateral documents_of(t.number) d
), staff as (
    insert into staff_documents (number, created_at, slice, text)
    select number, created_at, slice, staff_text from every where internal
)
insert into ticket_documents (number, created_at, slice, internal, text)
select number, created_at, slice, internal, text from every
"""
READ = """
select relname, pg_stat_get_xact_numscans(oid) as scans, pg_stat_get_xact_blocks_fetched(oid) as blocks
  from pg_class where relname in ('tickets', 'comments', 'ticket_documents', 'staff_documents')
"""
ASKED = {
    "nothing": "zzyzxq",
    "rare": corpus.RARE_WORD,
    "hushed": corpus.HUSHED_WORD,
    "common": "film",
    "very common": "the",
    "two": "player error",
    "phrase": '"the player"',
    "beginning": "transcod*",
    "without": "film -the",
    "number": "4711",
    "open": "film status:open,in_progress,pending",
    "of a project": "film project:project-2",
    "of a requester": "film requester:me",
    "of a month": "film created:>=2025-01-01 created:<2025-02-01",
}


@pytest.fixture(scope="module")
def written(new_database: Callable[..., str], slowly: None) -> str:
    url = new_database()
    corpus.fill(url, corpus.Plan(TICKETS, comments=1), processes=2)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(DOCUMENTS)
        conn.execute("insert into words select word, ndoc from ts_stat('select text from ticket_documents')")
        conn.execute("vacuum analyze ticket_documents, staff_documents, words")
    return url


@pytest.mark.parametrize("reader", lists.readers())
def test_no_search_reads_through_a_table(written: str, reader: str) -> None:
    """And nobody's but those of staff reads a document with internal comments, whatever is looked for."""
    actor = lists.readers()[reader]

    async def asked() -> dict[str, Any]:
        odd: dict[str, Any] = {}
        options = pool.parameters(written, pool.ASKING | {"statement_timeout": "60s"})
        async with await psycopg.AsyncConnection.connect(**options, row_factory=dict_row) as conn:
            for name, q in ASKED.items():
                if "project:" in q and not actor.staffs("project-2") and actor.limits:
                    continue
                if "me" in q.split(":") and actor.id is None:
                    continue
                for sort in ("relevance", "-created", "created", "-updated"):
                    async with conn.transaction(force_rollback=True):
                        before = await _read(conn)
                        await tickets.list_(conn, actor, q=f"{q} sort:{sort}")
                        read = {table: figures - before[table] for table, figures in (await _read(conn)).items()}
                    if any(figures.scans for figures in read.values()):
                        odd[f"{name}, {sort}"] = read
                    if not actor.staffs_any and read["staff_documents"].blocks:
                        odd[f"{name}, {sort}: internal"] = read
        return odd

    assert asyncio.run(asked()) == {}


async def _read(conn: lists.Connection) -> dict[str, lists.Read]:
    rows = await (await conn.execute(READ)).fetchall()
    return {row["relname"]: lists.Read(0, row["blocks"], row["scans"]) for row in rows}
