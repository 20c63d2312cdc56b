"""Tickets found by words of their titles, by their numbers, and by their escalation."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from test_tickets import New

from conftest import Person
from ticketing.query import compiling, titles

Db = psycopg.Connection[dict[str, Any]]
TITLES = [
    "4K HDR films stutter",
    "Films in HDR10: subtitles/audio drift",
    "Server-side C++ crash in src/main.rs",
    "Größe ändern geht nicht",
    "字幕 が ずれる",
    'it\'s "quoted" \\ & | ! :* <-> text',
]


@pytest.fixture
def numbers(new_ticket: New) -> list[int]:
    return [new_ticket(title=title)["number"] for title in TITLES]


def found(by: Person, project: str, title: str, **filters: str) -> list[int]:
    answer = by.get("/tickets", params={"project": project, "sort": "created", "title": title, **filters})
    assert answer.status_code == 200, answer.text
    return [ticket["number"] for ticket in answer.json()["items"]]


@pytest.mark.parametrize(
    ("title", "places"),
    [
        ("hdr", [0, 1]),
        ("HDR film", [0, 1]),
        ("film hdr10", [1]),
        ("ilms", []),
        ("films server", []),
        ("audio", [1]),
        ("subtitles/audio", [1]),
        ("side", [2]),
        ("c++", [2]),
        ("rs main", [2]),
        ("größe", [3]),
        ("ÄNDERN", [3]),
        ("字", [4]),
        ("it's", [5]),
        ("quoted text", [5]),
        ("'", []),
        ("\\", []),
        (":*", []),
        ("' | hdr", [0, 1]),
        ("hdr & !film", [0, 1]),
        ("hdr') or ('1", []),
        ("☺", []),
        (" ".join(["a"] * 100), [1]),
    ],
)
def test_words_that_titles_have(agent: Person, project: str, numbers: list[int], title: str, places: list[int]) -> None:
    assert found(agent, project, title) == [numbers[place] for place in places]


def test_a_number_finds_its_ticket_and_titles_with_it(agent: Person, project: str, new_ticket: New) -> None:
    first = new_ticket()["number"]
    second = new_ticket(title=f"It is like {first}")["number"]
    assert found(agent, project, str(first)) == found(agent, project, f"#{first}") == [first, second]
    assert found(agent, project, f"{first} like") == [second]
    assert found(agent, project, "9" * 18) == found(agent, project, "9" * 40) == []


def test_a_requester_finds_what_they_may_see(
    requester: Person, stranger: Person, project: str, numbers: list[int]
) -> None:
    assert found(requester, project, "hdr") == numbers[:2]
    assert found(stranger, project, "hdr") == found(stranger, project, str(numbers[0])) == []


def test_pages_keep_the_filter(agent: Person, project: str, numbers: list[int]) -> None:
    query = {"project": project, "sort": "created", "title": "hdr film", "escalated": "false", "limit": "1"}
    first = agent.get("/tickets", params=query)
    second = agent.get(first.headers["link"].partition(">")[0][1:].removeprefix("/api/v1"))
    assert [answer.json()["items"][0]["number"] for answer in (first, second)] == numbers[:2]
    assert second.json()["next"] is None
    other = agent.get("/tickets", params={**query, "title": "hdr", "cursor": first.json()["next"]})
    assert other.json()["code"] == "invalid_cursor"


@pytest.mark.parametrize("title", ["", "x" * 201, "a\u0000b"])
def test_what_no_title_can_have(agent: Person, title: str) -> None:
    assert agent.get("/tickets", params={"title": title}).status_code == 400


def test_escalated_tickets_and_the_others(agent: Person, project: str, numbers: list[int], db: Db) -> None:
    db.execute("insert into escalations (ticket, escalated_at) values (%s, now())", (numbers[1],))
    assert found(agent, project, "hdr", escalated="true") == [numbers[1]]
    assert found(agent, project, "hdr", escalated="false") == [numbers[0]]
    listed = agent.get("/tickets", params={"project": project, "escalated": "true"}).json()["items"]
    assert [ticket["number"] for ticket in listed] == [numbers[1]]


def test_the_index_and_the_filter_take_the_same_signs_for_blanks(db: Db) -> None:
    """So the index serves the filter, and no sign of a query is left in a word."""
    signs = "".join(map(chr, titles.BETWEEN_WORDS))
    (index,) = db.execute("select pg_get_indexdef('tickets_title'::regclass) as text").fetchall()
    quoted = signs.replace("'", "''").replace("\\", "\\\\")
    assert f"'{quoted}'::text" in index["text"] or f"'{signs.replace(chr(39), chr(39) * 2)}'::text" in index["text"]
    with db.transaction():
        db.execute("set local enable_seqscan = off")
        plan = db.execute(
            f"explain select from tickets t where {compiling.TITLE} @@ to_tsquery('simple', 'hdr:*')"
        ).fetchall()
    assert any("tickets_title" in row["QUERY PLAN"] for row in plan), plan
