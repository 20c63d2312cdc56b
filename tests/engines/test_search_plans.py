"""Text is looked for by its indexes, a month at a time: nobody's search is a walk through a table."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

import corpus
import lists
from ticketing.access.actors import Actor
from ticketing.db import pool
from ticketing.ground.errors import InvalidParameter
from ticketing.query import hits, names, parsing
from ticketing.query.hits import Asked
from ticketing.query.parsing import MOST_WORDS, parse
from ticketing.query.tree import quoted
from ticketing.rules import similar_tickets, tickets

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
OF_ALL = """
select relname, pg_stat_get_xact_numscans(oid) as scans, pg_stat_get_xact_tuples_returned(oid) as returned,
       pg_stat_get_xact_tuples_fetched(oid) as fetched, pg_stat_get_xact_blocks_fetched(oid) as blocks
  from pg_class
 where relnamespace in ('public'::regnamespace, 'pg_toast'::regnamespace) and relkind in ('r', 'i', 't')
"""
UNHEARD = "hushvord"
"""A word that nobody has written, as long as the one of internal comments, and beside it in every order."""
PENDING = {
    "tickets_tags": "Requests write it, and must not wait for it. A look-up reads what is pending once.",
    "tickets_title": "Requests write it, and must not wait for it. A look-up reads what is pending once.",
    "users_name_parts": "People are seldom added or renamed.",
    "ticket_documents_text": "It is short. Each slice reads it, and one worker writes all documents.",
    "staff_documents_text": "It is short. Each slice reads it, and one worker writes all documents.",
}
"""Why these indexes may keep a list of what is pending, which each look-up reads from end to end."""
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
    staffs = lists.readers()[reader].staffs_any
    odd = {}
    for name, read in reads(written, reader, "force_custom_plan").items():
        if any(figures.scans for figures in read.values()):
            odd[name] = read
        if not staffs and read["staff_documents"].blocks:
            odd[f"{name}: internal"] = read
    assert odd == {}


@pytest.mark.parametrize("reader", ["agent of all", "agent of 3 projects"])
def test_what_is_planned_once_reads_as_little(written: str, reader: str) -> None:
    """But for a ticket that is looked up in one index or another."""
    once = reads(written, reader, "force_generic_plan")
    each = reads(written, reader, "force_custom_plan")
    blocks = {name: [sum(figures.blocks for figures in mode[name].values()) for mode in (once, each)] for name in each}
    assert {name: both for name, both in blocks.items() if both[0] > both[1] * 2} == {}


def reads(url: str, reader: str, mode: str) -> dict[str, dict[str, lists.Read]]:
    """What each search reads of each table if it is planned in this way, as far as it is prepared."""
    actor = lists.readers()[reader]

    async def asked() -> dict[str, dict[str, lists.Read]]:
        found = {}
        prepared = 0
        options = pool.parameters(url, pool.ASKING | {"statement_timeout": "60s", "plan_cache_mode": mode})
        options |= {"prepare_threshold": pool.PREPARE_AFTER}
        async with await psycopg.AsyncConnection.connect(**options, row_factory=dict_row) as conn:
            for name, q in ASKED.items():
                if "project:" in q and not actor.staffs("project-2") and actor.limits:
                    continue
                if "me" in q.split(":") and actor.id is None:
                    continue
                for sort in ("relevance", "-created", "created", "-updated"):
                    async with conn.transaction(force_rollback=True):
                        before = await _read(conn)
                        await tickets.list_(conn, actor, q=f"{q} sort:{sort}", include=["matches"])
                        after = await _read(conn)
                        statements = await conn.execute("select count(*) from pg_prepared_statements")
                        prepared += (await statements.fetchone() or {})["count"]
                    found[f"{name}, {sort}"] = {table: figures - before[table] for table, figures in after.items()}
        assert prepared > 0
        return found

    return asyncio.run(asked())


async def _read(conn: lists.Connection) -> dict[str, lists.Read]:
    rows = await (await conn.execute(READ)).fetchall()
    return {row["relname"]: lists.Read(0, row["blocks"], row["scans"]) for row in rows}


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=400))
@example("a" * 300 + "'" * 300)
@example("क्षत्रिय ज्ञान " * 25)
@example("a\u0301" * 200)
@example("http://a/b?c=d&e=f " * 5)
@example("1.5e10-2 " * 12)
@example("a-b-c-d@e.f.g " * 7)
@example("ﷺ" * 12)
def test_what_the_index_is_asked_for_is_as_short_as_the_text(written: str, text: str) -> None:
    """Whatever PostgreSQL takes for words: those that the parser lets through are a few for it, in each language."""
    try:
        clauses = parse(quoted(text)).clauses
    except InvalidParameter:
        return
    with psycopg.connect(written) as conn:
        for asked in ("asked_phrase", "asked_word", "asked_any"):
            row = conn.execute(
                f"select numnode({asked}(%s)), (select count(distinct language) from projects)", [text]
            ).fetchone()
            assert row and row[0] <= 4 * MOST_WORDS * (row[1] + 1), asked
        assert clauses


async def searched(conn: lists.Connection, actor: Actor, word: str) -> Any:
    parts = (word, f"{word[:6]}*", f'"{word}"', f"film -{word}", f"{word} status:open", f"film {word}", f"title:{word}")
    named = () if actor.id is None else (f"assignee:{word}", f"requester:{word}", f"tag:{word}")
    for q in (*parts, *named):
        for sort in ("-created", "-updated") if q in named or ":" in q else ("relevance", "-created", "-updated"):
            with suppress(InvalidParameter):
                await tickets.list_(conn, actor, q=f"{q} sort:{sort}")


async def counted(conn: lists.Connection, actor: Actor, word: str) -> Any:
    """As a view of theirs is."""
    query = parsing.parse(word)
    reader = await names.reader(conn, actor, query, await names.people(conn, actor, query))
    await hits.count(conn, Asked(actor, query, reader), 1000)


async def resembled(conn: lists.Connection, actor: Actor, word: str) -> Any:
    for title, description in ((word, ""), (f"film {word} player", ""), ("film player", word)):
        await similar_tickets.find(conn, actor, title=title, description=description)


@pytest.mark.parametrize("reader", lists.readers())
def test_a_word_of_internal_comments_costs_others_what_a_word_costs_that_nobody_wrote(
    written: str, reader: str
) -> None:
    """Of every table and index, as many rows and pages are read: neither a time nor a plan tells of it."""
    actor = lists.readers()[reader]

    async def differing() -> list[str]:
        options = pool.parameters(written, pool.ASKING | {"statement_timeout": "60s"})
        async with await psycopg.AsyncConnection.connect(**options, row_factory=dict_row) as conn:

            async def cost(ask: Callable[..., Any], word: str) -> dict[str, list[int]]:
                async with conn.transaction(force_rollback=True):
                    before = await figures()
                    await ask(conn, actor, word)
                    after = await figures()
                return {name: [b - a for a, b in zip(before[name], after[name], strict=True)] for name in before}

            async def figures() -> dict[str, list[int]]:
                rows = await (await conn.execute(OF_ALL)).fetchall()
                return {row["relname"]: [row[name] for name in list(row)[1:]] for row in rows}

            odd = []
            for ask in (searched, counted, resembled):
                # The session learns the beginnings of all indexes, and PostgreSQL may vacuum meanwhile.
                costs = [await cost(ask, UNHEARD)]
                while len(costs) < 3 or costs[-1] != costs[-3]:
                    costs.append(await cost(ask, corpus.HUSHED_WORD if len(costs) % 2 else UNHEARD))
                if costs[-1] != costs[-2]:
                    odd.append(ask.__name__)
            return odd

    assert asyncio.run(differing()) == (["searched", "counted"] if actor.staffs_any else [])


def test_an_index_that_is_often_read_keeps_no_list_of_what_is_pending(new_database: Callable[..., str]) -> None:
    with psycopg.connect(new_database()) as conn:
        rows = conn.execute(
            "select c.relname, coalesce(c.reloptions, '{}') from pg_class c join pg_am m on m.oid = c.relam"
            " where m.amname = 'gin' and c.relnamespace = 'public'::regnamespace"
        ).fetchall()
    options: dict[str, list[str]] = dict(rows)
    assert options["words_parts"] == ["fastupdate=off"]
    assert {name for name, given in options.items() if "fastupdate=off" not in given} == PENDING.keys()
    for name in ("ticket_documents_text", "staff_documents_text"):
        assert options[name] == ["gin_pending_list_limit=256"]
