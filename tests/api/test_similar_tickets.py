"""Tickets like a draft: what is close is found, of what the reader may see, and nothing internal tells."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from test_comments import comment
from test_tickets import New

from conftest import Person
from ticketing.search import similar
from working import index


def like(by: Person, title: str, **fields: Any) -> list[dict[str, Any]]:
    answer = by.post("/tickets/similar", json={"title": title} | fields)
    assert answer.status_code == 200
    return list(answer.json()["items"])


def numbers(items: list[dict[str, Any]]) -> list[int]:
    return [item["number"] for item in items]


def test_tickets_like_a_draft_come_the_closest_first(requester: Person, project: str, new_ticket: New) -> None:
    near = new_ticket(title="Chromecast stutters on kumquat televisions", description="It happens with Dolby sound.")
    far = new_ticket(title="Kumquat televisions are not found", description="By nobody.")
    new_ticket(title="Something else entirely", description="Not about that.")
    index()
    found = like(requester, "Stuttering Chromecasts with a kumquat television")
    assert numbers(found)[0] == near["number"]
    assert far["number"] not in numbers(found)[:1]
    best = found[0]
    assert {name: best[name] for name in ("title", "type", "project", "status", "html_url", "created_at")} == {
        name: near[name] for name in ("title", "type", "project", "status", "html_url", "created_at")
    }
    assert 0.5 <= best["score"] <= 1
    assert set(best["words"]) == {"stuttering", "chromecasts", "kumquat", "television"}
    assert [item["score"] for item in found] == sorted((item["score"] for item in found), reverse=True)
    assert numbers(like(requester, near["title"], project=project, type=near["type"]))[0] == near["number"]
    assert like(requester, near["title"], type="feature_request") == []


def test_a_comment_counts_less_than_a_title(requester: Person, new_ticket: New) -> None:
    said = new_ticket(title="Unrelated")["number"]
    comment(requester, said, "Does the rutabaga exporter crash?")
    titled = new_ticket(title="The rutabaga exporter crashes")["number"]
    index()
    assert numbers(like(requester, "Rutabaga exporter crashed")) == [titled, said]


def test_nobody_is_told_of_what_they_may_not_see(
    requester: Person, stranger: Person, agent: Person, agent_elsewhere: Person, new_ticket: New
) -> None:
    number = new_ticket(title="Parsnip synchroniser loses chapters")["number"]
    comment(agent, number, "The okra ledger is to blame: celeriac.", visibility="internal")
    index()
    draft = "Parsnip synchroniser lost chapters"
    assert number in numbers(like(requester, draft))
    assert number in numbers(like(agent, draft))
    assert number not in numbers(like(stranger, draft))
    assert number not in numbers(like(agent_elsewhere, draft))
    for reader in (requester, agent):
        assert number not in numbers(like(reader, "okra ledger celeriac"))
        (item,) = [each for each in like(reader, f"{draft} okra celeriac") if each["number"] == number]
        assert not {"okra", "celeriac"} & set(item["words"])


def test_a_score_does_not_tell_whether_a_word_is_in_a_ticket_of_others(
    requester: Person, stranger: Person, new_ticket: New
) -> None:
    new_ticket(title="Salsify encoder drops frames", description="")
    index()
    draft = "Salsify encoder drops skirret"
    (before,) = like(requester, draft)
    new_ticket(title="Skirret", by=stranger)
    index()
    assert like(requester, draft) == [before]


def test_one_word_of_two_is_too_little(requester: Person, new_ticket: New) -> None:
    number = new_ticket(title="Mangelwurzel", description="")["number"]
    index()
    assert numbers(like(requester, "Mangelwurzel")) == [number]
    assert like(requester, "Mangelwurzel cardoon") == []


def test_a_long_description_hides_no_title(requester: Person, new_ticket: New) -> None:
    number = new_ticket(title="Scorzonera equaliser hums", description="A hum.")["number"]
    for each in range(3):
        new_ticket(description=f"Nothing of this matters to anybody who listens, {each} times over.")
    index()
    story = "Nothing of this matters to anybody who listens, many times over. " * 20
    assert numbers(like(requester, "Scorzonera equaliser hums", description=story))[0] == number


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "!"},
        {"title": "?! …"},
        {"title": "x"},
        {"title": "🔥"},
        {"title": "the and of"},
        {"title": "'; drop table tickets; --"},
        {"title": "a & !b | c <-> d:*"},
        {"title": "\\'\\"},
        {"title": "数"},
        {"title": "数据库连接失败了"},
        {"title": "x" * 200},
        {"title": "a\u0300" * 90},
        {"title": "x", "description": ""},
        {"title": "x", "description": "word " * 13_000},
        {"title": "x", "description": " ".join(f"w{each}" for each in range(9_000))},
        {"title": "x", "description": "数据库" * 20_000},
        {"title": "x", "description": "\u0001\u0002\t\n\u2028"},
    ],
    ids=itertools.count(),
)
def test_odd_drafts_are_answered(fields: dict[str, Any], requester: Person, new_ticket: New) -> None:
    new_ticket(**fields) if fields.get("description") else new_ticket(title=fields["title"])
    index()
    assert len(like(requester, **fields)) <= 5


def test_what_cannot_be_a_draft_is_refused(requester: Person, project: str) -> None:
    for body, pointer in (
        ({}, "#/title"),
        ({"title": ""}, "#/title"),
        ({"title": "x", "project": "no-such"}, "#/project"),
        ({"title": "x", "type": "no-such"}, "#/type"),
        ({"title": "x", "limit": 6}, "#/limit"),
    ):
        answer = requester.post("/tickets/similar", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


def test_it_changes_nothing_and_has_no_place_of_its_own(requester: Person) -> None:
    assert requester.get("/tickets/similar").status_code in (404, 405)


def test_in_a_large_installation_more_words_are_asked_for_and_fewer_places_read() -> None:
    rare = [{"stem": f"w{each}", "documents": 10 + each, "titled": False} for each in range(12)]
    assert similar.condition(rare[:1], 1_000_000) == "'w0'"
    assert similar.condition(rare[:3], 1_000_000) == "('w0' & ('w1' | 'w2')) | ('w1' & ('w2'))"
    assert similar.condition(rare, 1_000_000).count("w8") == similar.WORDS - 1
    common = [{"stem": f"w{each}", "documents": 25_000, "titled": False} for each in range(4)]
    assert similar.condition(common, 1_000_000) == "('w0' & ('w1'))"
    some = [{"stem": f"w{each}", "documents": 9_000, "titled": each == 3} for each in range(4)]
    assert similar.condition(some, 1_000_000).startswith("('w3' & (('w0' & (")
