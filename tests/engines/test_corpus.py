"""The corpus of the benchmarks: what it fills a database with is what the service itself could have written."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

import corpus
from conftest import Person, configured, served
from ticketing import app
from ticketing.commands import demo
from ticketing.db import pool

PLAN = corpus.Plan(4_000)
CONTENT = """
select md5(string_agg(row::text, '' order by row::text))
  from (select t::text as row from tickets t union all select c::text from comments c
         union all select u::text from (select id, name, email, role from users) u
         union all select e::text from escalations e union all select m::text from organization_members m) all_rows
"""
MADE = """
select pg_get_constraintdef(oid, true) from pg_constraint where conrelid <> 0
union all select pg_get_indexdef(indexrelid) from pg_index join pg_class on oid = indexrelid
 where relnamespace = 'public'::regnamespace
"""


@pytest.fixture(scope="module")
def filled(new_database: Callable[..., str], slowly: None) -> str:
    url = new_database()
    corpus.fill(url, PLAN)
    return url


@pytest.fixture(scope="module")
def reading(filled: str) -> Iterator[Callable[[UUID], Person]]:
    """Somebody who reads it through the API, by their id."""
    with configured(database_url=filled), served(app.create()) as service, ExitStack() as clients:
        yield lambda id_: clients.enter_context(Person(service, id_, "", "", corpus.new_token(filled, id_)))


def all_of(url: str, statement: str) -> list[Any]:
    with psycopg.connect(url) as conn:
        return [row[0] for row in conn.execute(statement.encode())]


def test_the_tables_keep_their_references_and_indexes(filled: str, new_database: Callable[..., str]) -> None:
    """They are put aside while rows are loaded; all rows have then been checked."""
    assert Counter(all_of(filled, MADE)) == Counter(all_of(new_database(), MADE))
    assert all_of(filled, "select conname from pg_constraint where not convalidated") == []


def test_the_same_seed_gives_the_same_content_however_many_processes_make_it(
    filled: str, new_database: Callable[..., str]
) -> None:
    again, other = new_database(), new_database()
    corpus.fill(again, PLAN, processes=2)
    corpus.fill(other, corpus.Plan(PLAN.tickets, seed=2))
    (content,) = all_of(filled, CONTENT)
    assert all_of(again, CONTENT) == [content]
    assert all_of(other, CONTENT) != [content]


def test_what_it_fills_has_the_proportions_of_an_old_installation(filled: str) -> None:
    with psycopg.connect(filled) as conn:
        shares: Any = conn.execute(
            """select avg((status >= 'resolved')::int), count(*) filter (where organization = 'acme') * 1.0 / count(*),
                      (select count(*) from comments) * 1.0 / count(*),
                      (select avg((visibility = 'internal')::int) from comments)
                 from tickets"""
        ).fetchone()
        rare = conn.execute("select count(*) from tickets where tags @> array['heisenbug']").fetchone()
        strays = conn.execute(
            """select count(*) from comments c join tickets t on t.number = c.ticket
                where c.created_at not between t.created_at and coalesce(t.resolved_at, c.created_at)
                   or c.visibility = 'public' and c.created_at > t.updated_at"""
        ).fetchone()
    ended, large, comments, internal = map(float, shares)
    assert 0.92 < ended < 0.95
    assert 0.08 < large < 0.14
    assert 1.8 < comments < 2.2
    assert 0.13 < internal < 0.17
    assert rare == (7,)
    assert strays == (0,)


def test_the_api_reads_it(reading: Callable[[UUID], Person]) -> None:
    """Every answer is judged against the contract."""
    agent = reading(corpus.AGENT)
    cursor, numbers = None, list[int]()
    for _ in range(5):
        page = agent.get("/tickets", params={"limit": 100, "cursor": cursor} if cursor else {"limit": 100}).json()
        numbers += [ticket["number"] for ticket in page["items"]]
        cursor = page["next"]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] == PLAN.tickets
    commented = 0
    for number in numbers[:40]:
        found = agent.get(f"/tickets/{number}/comments").json()["items"]
        timeline = agent.get(f"/tickets/{number}/events").json()["items"]
        assert Counter(event["type"] for event in timeline) == Counter(
            {"ticket.created": 1} | ({"comment.created": len(found)} if found else {})
        )
        commented += len(found)
    assert commented
    assert len(agent.get("/events", params={"limit": 100}).json()["items"]) > 40


def test_its_people_see_what_their_names_say(reading: Callable[[UUID], Person]) -> None:
    mine: dict[str, str | int] = {"requester": "me", "limit": 100}
    few = reading(corpus.FEW).get("/tickets", params=mine).json()
    many = reading(corpus.MANY).get("/tickets", params=mine).json()
    restricted = reading(corpus.RESTRICTED_AGENT).get("/tickets", params={"limit": 100, "sort": "created"}).json()
    everybody = reading(corpus.AGENT).get("/tickets", params={"limit": 100, "requester": str(corpus.COLLEAGUE)}).json()
    assert len(few["items"]) == 5
    assert (len(many["items"]), many["next"] is None) == (100, False)
    assert 5 <= len(everybody["items"]) <= 9
    assert corpus.RESTRICTED[0] in {ticket["project"] for ticket in restricted["items"]}
    assert not {ticket["project"] for ticket in restricted["items"]} & {"project-6", "project-8"}


def test_one_may_sign_in_as_its_people_where_ticketing_up_runs(filled: str) -> None:
    async def accounts() -> list[Any]:
        async with pool.connected(filled, 1), pool.connection() as conn:
            assert not await demo.load(conn)
            return await demo.accounts(conn)

    assert asyncio.run(accounts()) == [corpus.ADMIN, corpus.AGENT, corpus.FEW]


def test_a_database_with_content_is_left_alone(filled: str) -> None:
    with pytest.raises(corpus.NotEmpty, match="not empty"):
        corpus.fill(filled, PLAN)


def test_the_command_says_how_it_is_used(new_database: Callable[..., str], slowly: None) -> None:
    command = [sys.executable, str(Path(corpus.__file__))]
    help_ = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout
    assert "make corpus N=1000000" in help_
    url = new_database("template1")
    made = subprocess.run([*command, "--tickets", "50", "--url", url], capture_output=True, text=True, check=True)
    assert made.stdout.startswith("50 tickets in ")
    assert "50 tickets, " in made.stderr
    again = subprocess.run([*command, "--url", url], capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "not empty" in again.stderr
