"""The timeline: one event a change, in order, as far as the reader may see it."""

from __future__ import annotations

import base64

from test_comments import comment, edit
from test_tickets import New, patch

from conftest import Person


def test_the_timeline_of_a_ticket(agent: Person, requester: Person, stranger: Person, new_ticket: New) -> None:
    ticket = new_ticket()
    number = ticket["number"]
    patch(agent, number, status="in_progress")
    note = comment(agent, number, "internal", visibility="internal").json()
    edit(agent, f"/tickets/{number}/comments/{note['id']}", "still internal")
    comment(requester, number, "public")
    patch(agent, number, status="resolved", resolution="fixed")
    patch(requester, number, status="open")
    patch(agent, number, status="closed", resolution="wont_fix")

    seen_by_staff = [
        "ticket.created",
        "ticket.updated",
        "comment.created",
        "comment.updated",
        "comment.created",
        "ticket.resolved",
        "ticket.reopened",
        "ticket.closed",
    ]
    events = agent.pages(f"/tickets/{number}/events", limit=3)
    assert [event["type"] for event in events] == seen_by_staff
    assert [event["actor"] for event in events[:2]] == [requester.ref, agent.ref]
    assert events[0]["data"] == ticket
    assert events[-1]["data"] == agent.get(f"/tickets/{number}").json()
    assert events[1]["previous"] == {"status": "open"}
    assert events[6]["previous"].keys() == {"status", "resolution", "resolved_at"}
    assert all(event["ticket_number"] == number and event["project"] == ticket["project"] for event in events)

    assert requester.pages(f"/tickets/{number}/events") == [
        e for e in events if e["data"].get("visibility") != "internal"
    ]
    assert stranger.get(f"/tickets/{number}/events").status_code == 404


def test_its_cursors_tell_nothing_of_what_else_happens(agent: Person, requester: Person, new_ticket: New) -> None:
    number = new_ticket()["number"]
    for _ in range(3):
        comment(requester, number)
    cursor = requester.get(f"/tickets/{number}/events", params={"limit": 2}).json()["next"]
    raw = base64.urlsafe_b64decode(cursor)
    assert len(raw) == 20 and not raw.isascii()
    assert len(requester.get(f"/tickets/{number}/events", params={"cursor": cursor}).json()["items"]) == 2
    for by, other in ((agent, number), (requester, new_ticket()["number"])):
        response = by.get(f"/tickets/{other}/events", params={"cursor": cursor})
        assert (response.status_code, response.json()["code"]) == (400, "invalid_cursor")
