"""Comments: the conversation, and that nobody but staff learns of its internal part."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import uuid_utils.compat as uuids
from test_tickets import MERGE_PATCH, Events, New, patch

from conftest import Person
from ticketing.access.actors import ANONYMOUS
from ticketing.writing import paging

CANARY = "canary-7f3a"


def comment(by: Person, number: int, body: str = "Thanks.", **fields: Any) -> Any:
    return by.post(f"/tickets/{number}/comments", json={"body": body} | fields)


def edit(by: Person, path: str, body: str, headers: dict[str, str] | None = None) -> Any:
    return by.request("PATCH", path, json={"body": body}, headers=MERGE_PATCH | (headers or {}))


def test_comments_and_events_are_listed_from_the_newest_down(requester: Person, agent: Person, new_ticket: New) -> None:
    number = new_ticket()["number"]
    for each in range(5):
        comment(requester if each % 2 else agent, number, f"Number {each}")
    for what, sort in (("comments", "created"), ("events", "sequence")):
        path = f"/tickets/{number}/{what}"
        oldest_first = agent.pages(path)
        assert agent.pages(path, sort=sort) == oldest_first
        assert agent.pages(path, sort=f"-{sort}", limit=2) == oldest_first[::-1]
        first = agent.get(path, params={"sort": f"-{sort}", "limit": 2})
        assert f"sort=-{sort}&" in first.headers["link"]
        cursor = {"cursor": first.json()["next"]}
        refused = agent.get(path, params=cursor)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_cursor")
        refused = agent.get(path, params={"sort": "updated"})
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_parameter")


def test_create_comment(requester: Person, new_ticket: New, new_events: Events) -> None:
    ticket = new_ticket()
    new_events()
    response = comment(requester, ticket["number"], "It stops at 10:00.")
    made = response.json()
    assert response.status_code == 201
    assert (made["author"], made["visibility"], made["ticket_number"]) == (requester.ref, "public", ticket["number"])
    path = response.headers["location"].removeprefix("/api/v1")
    assert requester.get(path).json() == made
    assert requester.get(path).headers["etag"] == response.headers["etag"]
    (event,) = new_events()
    assert (event["type"], event["data"], event["internal"]) == ("comment.created", made, False)
    assert requester.get(f"/tickets/{ticket['number']}").json()["updated_at"] > ticket["updated_at"]


def test_pages_end_with_their_bytes(requester: Person, new_ticket: New) -> None:
    """And nothing is missing."""
    number = new_ticket()["number"]
    made = [comment(requester, number, text).json() for text in ("short", *["\U0001f39e" * 65_536] * 9, "short")]
    first = requester.get(f"/tickets/{number}/comments", params={"limit": 100})
    assert len(first.content) < paging.BYTES + 10_000
    assert first.json()["items"] == made[:8]
    assert requester.pages(f"/tickets/{number}/comments", limit=100) == made


def test_an_internal_comment_leaves_no_trace_for_requesters(requester: Person, agent: Person, new_ticket: New) -> None:
    number = new_ticket()["number"]
    comment(agent, number, "Looking.")

    def everything_seen() -> list[Any]:
        return [
            [requester.get(path).json(), requester.get(path).headers.get("etag")]
            for path in (
                f"/tickets/{number}",
                f"/tickets/{number}/comments",
                f"/tickets/{number}/events",
                "/tickets?limit=1&requester=me",
            )
        ]

    before = everything_seen()
    note = comment(agent, number, CANARY, visibility="internal").json()
    path = f"/tickets/{number}/comments/{note['id']}"
    assert edit(agent, path, f"{CANARY} again").status_code == 200
    assert everything_seen() == before
    assert requester.get(path).status_code == 404
    assert edit(requester, path, "x").status_code == 404
    assert requester.delete(path).status_code == 404
    assert agent.delete(path).status_code == 204
    assert everything_seen() == before
    assert len(agent.get(f"/tickets/{number}/comments").json()["items"]) == 2


def test_a_requester_cannot_comment_internally(requester: Person, new_ticket: New) -> None:
    response = comment(requester, new_ticket()["number"], visibility="internal")
    assert response.status_code == 403
    assert response.json()["errors"][0]["pointer"] == "#/visibility"


def test_comments_of_a_hidden_ticket_are_hidden(stranger: Person, requester: Person, new_ticket: New) -> None:
    number = new_ticket()["number"]
    made = comment(requester, number).json()
    assert stranger.get(f"/tickets/{number}/comments").status_code == 404
    assert stranger.get(f"/tickets/{number}/comments/{made['id']}").status_code == 404
    assert comment(stranger, number).status_code == 404


def test_update_comment(requester: Person, agent: Person, new_ticket: New, new_events: Events) -> None:
    number = new_ticket()["number"]
    response = comment(requester, number, "Befor")
    path = f"/tickets/{number}/comments/{response.json()['id']}"
    new_events()
    assert edit(agent, path, "x").status_code == 403
    stale = {"If-Match": '"stale"'}
    assert edit(requester, path, "x", stale).status_code == 412
    changed = edit(requester, path, "Before", {"If-Match": response.headers["etag"]})
    assert changed.status_code == 200
    (event,) = new_events()
    assert (event["type"], event["data"]) == ("comment.updated", changed.json())
    assert event["previous"] == {"body": "Befor"}
    edit(requester, path, "Before")
    assert new_events() == []


def test_a_deleted_comment_can_be_sent_back_as_it_was_read(
    requester: Person, admin: Person, new_ticket: New, new_events: Events
) -> None:
    path = f"/tickets/{new_ticket()['number']}/comments"
    kept, deleted = (f"{path}/{requester.post(path, json={'body': 'x'}).json()['id']}" for _ in range(2))
    assert requester.delete(deleted).status_code == 204
    read = requester.get(deleted)
    new_events()
    answer = requester.request("PATCH", deleted, json=read.json(), headers=MERGE_PATCH)
    assert (answer.status_code, answer.json(), answer.headers["etag"]) == (200, read.json(), read.headers["etag"])
    assert (
        requester.request("PATCH", deleted, json={"body": "y"}, headers=MERGE_PATCH).json()["code"] == "comment_deleted"
    )
    refused = requester.request("PATCH", kept, json={"body": None}, headers=MERGE_PATCH)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/body")
    assert new_events() == []


def test_delete_comment_leaves_a_tombstone_and_takes_the_text_with_it(
    requester: Person, agent: Person, new_ticket: New, new_events: Events
) -> None:
    number = new_ticket()["number"]
    path = f"/tickets/{number}/comments/{comment(requester, number, CANARY).json()['id']}"
    edit(requester, path, f"{CANARY} 2")
    new_events()
    assert agent.delete(path).status_code == 403
    assert requester.delete(path, headers={"If-Match": '"stale"'}).status_code == 412
    assert requester.delete(path).status_code == 204
    tombstone = requester.get(path).json()
    assert (tombstone["body"], tombstone["author"]) == (None, requester.ref)
    assert tombstone["deleted_at"]
    (event,) = new_events()
    assert (event["type"], event["data"]) == ("comment.deleted", tombstone)
    assert CANARY not in agent.get(f"/tickets/{number}/events").text
    assert requester.delete(path).status_code == 204
    assert edit(requester, path, "back").status_code == 409
    assert new_events() == []


def test_an_admin_deletes_any_comment(admin: Person, requester: Person, new_ticket: New) -> None:
    number = new_ticket()["number"]
    made = comment(requester, number).json()
    assert admin.delete(f"/tickets/{number}/comments/{made['id']}").status_code == 204


def test_comments_are_listed_oldest_first(requester: Person, new_ticket: New) -> None:
    number = new_ticket()["number"]
    made = [comment(requester, number, str(n)).json() for n in range(7)]
    assert requester.pages(f"/tickets/{number}/comments", limit=3) == made
    assert requester.pages(f"/tickets/{new_ticket()['number']}/comments") == []


def test_a_repeated_comment_is_made_once(requester: Person, new_ticket: New, new_events: Events) -> None:
    number = new_ticket()["number"]
    new_events()

    def post(_: int) -> Any:
        return requester.post(
            f"/tickets/{number}/comments", json={"body": "once"}, headers={"Idempotency-Key": f"c-{number}"}
        )

    with ThreadPoolExecutor(8) as threads:
        responses = list(threads.map(post, range(16)))
    assert {response.status_code for response in responses} == {201}
    assert len({response.text.count("once") and response.json()["id"] for response in responses}) == 1
    assert [event["type"] for event in new_events()] == ["comment.created"]


def test_no_comment_is_lost_among_concurrent_ones(requester: Person, new_ticket: New, new_events: Events) -> None:
    """Each waits for the ticket's lock while it holds a key of its own: the wait must not use the key up."""
    number = new_ticket()["number"]
    new_events()

    def post(n: int) -> Any:
        key = {"Idempotency-Key": f"among-{number}-{n}"}
        return requester.post(f"/tickets/{number}/comments", json={"body": str(n)}, headers=key)

    with ThreadPoolExecutor(16) as threads:
        responses = list(threads.map(post, range(96)))
    assert {response.status_code for response in responses} == {201}
    assert {item["body"] for item in requester.pages(f"/tickets/{number}/comments")} == {str(n) for n in range(96)}
    assert len(new_events()) == 96


def test_concurrent_comments_appear_in_the_order_of_their_events(
    requester: Person, new_ticket: New, new_events: Events
) -> None:
    number = new_ticket()["number"]
    new_events()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: comment(requester, number, str(n)), range(32)))
    listed = [item["created_at"] for item in requester.pages(f"/tickets/{number}/comments")]
    assert [event["data"]["created_at"] for event in new_events()] == listed


@pytest.mark.parametrize("body", ["", "a\u0000b", 7, None, "x" * 65537])
def test_what_a_comment_may_not_be(requester: Person, new_ticket: New, body: Any) -> None:
    response = requester.post(f"/tickets/{new_ticket()['number']}/comments", json={"body": body})
    assert response.status_code == (400 if body == "a\u0000b" else 422)


def test_only_staff_may_still_note_on_a_closed_ticket(agent: Person, requester: Person, new_ticket: New) -> None:
    number = new_ticket()["number"]
    patch(agent, number, status="closed", resolution="fixed")
    assert comment(requester, number).json()["code"] == "ticket_closed"
    assert comment(agent, number, visibility="internal").status_code == 201


def test_what_was_said_on_a_closed_ticket_stays(
    agent: Person, admin: Person, requester: Person, new_ticket: New, new_events: Events
) -> None:
    number = new_ticket()["number"]
    said, deleted, answer = (
        f"/tickets/{number}/comments/{comment(by, number).json()['id']}" for by in (requester, requester, agent)
    )
    requester.delete(deleted)
    patch(agent, number, status="closed", resolution="fixed")
    new_events()
    before = requester.get(said).json()
    for refused in (edit(requester, said, "Never."), requester.delete(said)):
        assert (refused.status_code, refused.json()["code"]) == (409, "ticket_closed")
        assert refused.json()["detail"].startswith("This ticket is closed, so what was said on it stays.")
    assert edit(requester, said, before["body"]).status_code == 200, "it changes nothing"
    assert requester.delete(deleted).status_code == 204, "it is deleted already"
    assert requester.get(said).json() == before
    assert new_events() == []
    assert edit(agent, answer, "An agent may.").status_code == 200
    assert agent.delete(answer).status_code == 204
    assert admin.delete(said).status_code == 204
    assert [event["type"] for event in new_events()] == ["comment.updated", "comment.deleted", "comment.deleted"]


@pytest.mark.parametrize(
    ("moment", "status"),
    [
        ("2026-W48-2", 400),
        ("2026-11-24T10:00:00+20:43", 200),
        ("0001-01-01T00:00:00+14:00", 400),
        ("soon", 400),
        (7, 400),
        (None, 400),
    ],
)
def test_a_forged_cursor_is_a_place_or_refused(requester: Person, new_ticket: New, moment: Any, status: int) -> None:
    """Whoever knows how cursors are made gets to see no more than others, and breaks nothing."""
    number = new_ticket()["number"]
    listing = ["comments", number, ANONYMOUS.staffing()]
    forged = paging.page([0, 0], 1, listing, lambda _: [moment, str(uuids.uuid7())])["next"]
    response = requester.get(f"/tickets/{number}/comments", params={"cursor": forged})
    assert response.status_code == status
    assert status == 200 or response.json()["code"] == "invalid_cursor"


@pytest.mark.parametrize("position", [True, -1, 2**63, 1.5, "1"])
def test_a_forged_position_is_refused(requester: Person, new_ticket: New, position: Any) -> None:
    number = new_ticket()["number"]
    forged = paging.page([0, 0], 1, ["events", number, False], lambda _: [position])["next"]
    assert requester.get(f"/tickets/{number}/events", params={"cursor": forged}).json()["code"] == "invalid_cursor"
