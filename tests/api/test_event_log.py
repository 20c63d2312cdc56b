"""/event-log: what admins look up of what happened, newest first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb
from test_feed import end, since
from test_tickets import New, patch

from conftest import Person
from judged import Judged, subject
from ticketing.log import audit

Db = psycopg.Connection[dict[str, Any]]


def looked_up(by: Person, **filters: Any) -> list[dict[str, Any]]:
    return by.pages("/event-log", **filters)


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


@pytest.fixture
def story(new_ticket: New, agent: Person, requester: Person) -> int:
    """A ticket to which something happened: its number."""
    number = int(new_ticket()["number"])
    agent.post(f"/tickets/{number}/comments", json={"body": "between us", "visibility": "internal"})
    patch(agent, number, priority="high")
    requester.post(f"/tickets/{number}/comments", json={"body": "thanks"})
    patch(agent, number, status="resolved", resolution="answered")
    return number


STORY = ["ticket.resolved", "comment.created", "ticket.updated", "comment.created", "ticket.created"]


def test_newest_first_and_whole(admin: Person, story: int) -> None:
    events = looked_up(admin, ticket_number=story)
    assert types(events) == STORY
    assert [event["timestamp"] for event in events] == sorted((e["timestamp"] for e in events), reverse=True)
    assert "between us" in [event["data"].get("body") for event in events]
    assert events[0]["previous"]["status"] == "open"
    assert {event["ticket_number"] for event in events} == {story}


def test_it_is_what_the_feed_tells_an_admin(admin: Person, new_ticket: New, requester: Person) -> None:
    cursor = end(admin)
    first = new_ticket()
    requester.post("/tokens", json={"name": "x", "scopes": ["tickets:read"]})
    last = admin.post("/users", json={"name": "Robot", "service_account": True}).json()

    def complete(events: list[dict[str, Any]]) -> bool:
        return any(event["type"] == "user.created" and event["data"]["id"] == last["id"] for event in events)

    told = {event["id"]: event for event in since(admin, cursor, until=complete)}
    log = {event["id"]: event for event in looked_up(admin, timestamp_since=first["created_at"])}
    assert told
    assert {id_: log.get(id_) for id_ in told} == told


def test_pages_have_all_and_each_once(admin: Person, story: int) -> None:
    whole = looked_up(admin, ticket_number=story)
    for limit in (1, 2, 4, 5):
        assert looked_up(admin, ticket_number=story, limit=limit) == whole
    recent = {event["id"] for event in looked_up(admin, timestamp_since=whole[-1]["timestamp"], limit=2)}
    assert {event["id"] for event in whole} <= recent


def test_filters(admin: Person, agent: Person, requester: Person, story: int, project: str, new_ticket: New) -> None:
    other = new_ticket()["number"]
    assert types(looked_up(admin, ticket_number=story, type="comment.created")) == ["comment.created"] * 2
    assert types(looked_up(admin, ticket_number=story, type="comment.created,ticket.created")) == [
        "comment.created",
        "comment.created",
        "ticket.created",
    ]
    assert {e["actor"]["id"] for e in looked_up(admin, ticket_number=story, actor=agent.id)} == {agent.id}
    assert len(looked_up(admin, ticket_number=story, actor=f"{agent.id},{requester.id}")) == 5
    assert looked_up(admin, ticket_number=story, actor="me") == []
    assert len(looked_up(admin, ticket_number=f"{story},{other}")) == 6
    assert {e["project"] for e in looked_up(admin, project=project, limit=50)} == {project}
    assert looked_up(admin, ticket_number=2**53 - 1) == []


def test_since_includes_its_moment_and_before_excludes_it(admin: Person, story: int) -> None:
    newest, *_, oldest = looked_up(admin, ticket_number=story)
    assert newest in looked_up(admin, ticket_number=story, timestamp_since=newest["timestamp"])
    assert newest not in looked_up(admin, ticket_number=story, timestamp_before=newest["timestamp"])
    assert looked_up(admin, ticket_number=story, timestamp_before=oldest["timestamp"]) == []
    within = {"timestamp_since": oldest["timestamp"], "timestamp_before": newest["timestamp"]}
    found = {event["id"] for event in looked_up(admin, **within)}
    assert newest["id"] not in found
    assert oldest["id"] in found


def record(db: Db, kind: str, occurred_at: str, **columns: Any) -> str:
    """Write an event as an import does, of what happened then."""
    values = {"ticket": None, "actor_id": None} | columns
    row = db.execute(
        "insert into events (id, type, occurred_at, ticket, actor_id, internal, data)"
        " values (gen_random_uuid(), %s, %s, %s, %s, true, %s) returning id::text",
        (kind, occurred_at, values["ticket"], values["actor_id"], Jsonb(subject(kind))),
    ).fetchone()
    assert row
    return str(row["id"])


def test_what_was_imported_stands_where_it_happened(admin: Person, story: int, db: Db) -> None:
    """And what the service did by itself has no actor."""
    record(db, "ticket.closed", "2011-05-04T03:02:01Z", ticket=story)
    events = looked_up(admin, ticket_number=story)
    assert types(events) == [*STORY, "ticket.closed"]
    assert looked_up(admin, ticket_number=story, actor="none") == events[-1:]
    assert (
        looked_up(admin, timestamp_before="2011-05-04T03:02:01.001Z", timestamp_since="2011-05-04T03:02:01Z")
        == (events[-1:])
    )


@pytest.fixture
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> int:
    """A page looks at few events, as if the log were long."""
    monkeypatch.setattr(audit, "SCAN", 3)
    return 3


def test_a_page_looks_at_so_many_events_and_the_walk_comes_to_an_end(
    admin: Person, sign_in: Callable[..., Person], story: int, short_stretches: int, db: Db
) -> None:
    """With filters that little passes, pages are short or empty, and nothing is left out."""
    idle, year = sign_in("requester"), "1999"
    wanted = record(db, "job.cancelled", f"{year}-01-01T00:00:00Z", actor_id=idle.id)
    for day in range(2, 9):
        record(db, "job.retried", f"{year}-01-0{day}T00:00:00Z")
    period = {"timestamp_since": f"{year}-01-01T00:00:00Z", "timestamp_before": f"{year}-02-01T00:00:00Z"}
    pages, params = [], period | {"actor": idle.id}
    while True:
        answer = admin.get("/event-log", params=params)
        pages.append([event["id"] for event in answer.json()["items"]])
        if answer.json()["next"] is None:
            break
        params = params | {"cursor": answer.json()["next"]}
    assert pages == [[], [], [wanted]]
    assert types(looked_up(admin, **period, type="job.retried", limit=2)) == ["job.retried"] * 7
    assert len(looked_up(admin, **period, limit=2)) == 8


def test_types_of_no_ticket_are_found_past_many_of_tickets(
    admin: Person, story: int, short_stretches: int, db: Db
) -> None:
    wanted = record(db, "queue.paused", "1998-01-01T00:00:00Z")
    for day in range(2, 9):
        record(db, "ticket.escalated", f"1998-01-0{day}T00:00:00Z", ticket=story)
    period = {"timestamp_before": "1998-02-01T00:00:00Z"}
    page = admin.get("/event-log", params=period | {"type": "queue.paused,token.revoked"}).json()
    assert [event["id"] for event in page["items"]] == [wanted]


def test_a_token_sees_the_types_of_its_scopes(sign_in: Callable[..., Person], story: int) -> None:
    narrow = sign_in("admin", scopes=("admin",))
    assert looked_up(narrow, ticket_number=story) == []
    refused = narrow.get("/event-log", params={"type": "ticket.created"})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "beyond_rights")


def test_a_cursor_is_for_its_filters(admin: Person, story: int) -> None:
    cursor = admin.get("/event-log", params={"ticket_number": story, "limit": 1}).json()["next"]
    assert admin.get("/event-log", params={"ticket_number": story, "cursor": cursor}).status_code == 200
    assert admin.get("/event-log", params={"cursor": cursor}).json()["code"] == "invalid_cursor"


def test_long_events_end_a_page(admin: Person, agent: Person, new_ticket: New) -> None:
    number = new_ticket()["number"]
    for _ in range(3):
        agent.post(f"/tickets/{number}/comments", json={"body": "x" * 20_000})
    assert len(looked_up(admin, ticket_number=number)) == 4


def test_only_admins(agent: Person, requester: Person, anonymous: Judged) -> None:
    assert [by.get("/event-log").status_code for by in (agent, requester, anonymous)] == [403, 403, 401]
