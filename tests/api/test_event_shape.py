"""One event has one shape in four places: the timeline of its ticket, the feed, a stream and webhooks."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import psycopg
import pytest
from test_comments import comment, edit
from test_feed import end, since
from test_stream import told
from test_tickets import New, patch
from test_webhooks import NewEndpoint, NewReceiver, new_endpoint  # noqa: F401 - a fixture

from conftest import Person
from working import work

Db = psycopg.Connection[dict[str, Any]]
SHAPE = ["id", "type", "timestamp", "sequence", "ticket_number", "project", "actor", "data", "previous", "tombstone"]


@pytest.mark.parametrize("internal", [True, False], ids=["staff", "everybody"])
def test_one_reducer_serves_all_four_places(
    admin: Person,
    agent: Person,
    requester: Person,
    new_ticket: New,
    project: str,
    new_receiver: NewReceiver,
    new_endpoint: NewEndpoint,  # noqa: F811
    internal: bool,
) -> None:
    reader, receiver = agent if internal else requester, new_receiver()
    new_endpoint(receiver, projects=[project], include_internal=internal)
    cursor, number = end(reader), new_ticket()["number"]
    patch(agent, number, priority="high", assignee=agent.ref)
    said, _, unsaid = (comment(agent, number, "x", visibility=v).json() for v in ("public", "internal", "public"))
    edit(agent, f"/tickets/{number}/comments/{said['id']}", "The same, in other words.")
    assert agent.delete(f"/tickets/{number}/comments/{unsaid['id']}").status_code == 204
    patch(agent, number, status="resolved", resolution="fixed", assignee=None)
    patch(requester, number, status="open")

    timeline = reader.pages(f"/tickets/{number}/events")
    assert len(timeline) == (9 if internal else 8)
    feed = since(reader, cursor, until=lambda items: len(items) >= len(timeline))
    with reader.follow(cursor) as opened:
        stream = told(opened, len(timeline))
    work(lambda: len(receiver.messages) == len(timeline))
    messages = [message.json for message in receiver.messages]
    assert [message["id"] for message in messages] == receiver.ids
    assert [list(event) for event in (*timeline, *feed, *stream, *messages)] == [SHAPE] * len(timeline) * 4

    by_sequence = [sorted(place, key=lambda event: event["sequence"]) for place in (feed, stream, messages)]
    assert by_sequence == [timeline] * 3
    now = {f"ticket {number}": reader.get(f"/tickets/{number}").json()}
    now |= {f"comment {each['id']}": each for each in reader.pages(f"/tickets/{number}/comments")}
    for place in (timeline, feed, stream, messages):
        twice = place * 2
        random.shuffle(twice)
        assert reduced(place) == reduced(twice) == now


def reduced(events: Iterable[Any]) -> dict[str, Any]:
    """What is there after these events, in whatever order they come, and however often."""
    latest: dict[str, Any] = {}
    for event in events:
        noun, data = event["type"].partition(".")[0], event["data"]
        name = f"{noun} {data['number' if noun == 'ticket' else 'id']}"
        if name not in latest or latest[name]["sequence"] < event["sequence"]:
            latest[name] = event
    return {name: event["data"] for name, event in latest.items()}


def test_a_sequence_tells_nothing_of_what_happens_between(requester: Person, agent: Person, new_ticket: New) -> None:
    """It is the time, and not a place in the log."""
    number = new_ticket()["number"]
    comment(agent, number, visibility="internal")
    comment(requester, number)
    for event in requester.pages(f"/tickets/{number}/events"):
        microseconds = datetime.fromisoformat(event["timestamp"]).timestamp() * 1_000_000
        assert abs(event["sequence"] - microseconds) < 60_000_000


def test_a_sequence_grows_even_if_the_clock_goes_back(agent: Person, new_ticket: New, db: Db) -> None:
    (row,) = db.execute("select next_event_sequence() as now").fetchall()
    db.execute("select setval('event_sequence', %s)", (row["now"] + 3_600_000_000,))
    try:
        number = new_ticket()["number"]
        patch(agent, number, priority="high")
        comment(agent, number)
    finally:
        db.execute("select setval('event_sequence', %s)", (row["now"],))
    sequences = [event["sequence"] for event in agent.pages(f"/tickets/{number}/events")]
    assert sequences == sorted(set(sequences))
    assert sequences[0] > row["now"] + 3_600_000_000


def test_events_from_before_there_were_sequences_come_first(agent: Person, new_ticket: New, db: Db) -> None:
    number = new_ticket()["number"]
    patch(agent, number, priority="high")
    assert db.execute("update events set sequence = null where ticket = %s", (number,)).rowcount == 2
    patch(agent, number, priority="low")
    sequences = [event["sequence"] for event in agent.pages(f"/tickets/{number}/events")]
    assert sequences == sorted(set(sequences))


def test_comments_that_the_release_before_recorded_have_the_names_of_today(
    agent: Person,
    new_ticket: New,
    project: str,
    new_receiver: NewReceiver,
    new_endpoint: NewEndpoint,  # noqa: F811
    db: Db,
) -> None:
    """It called the number of the ticket `ticket`. A repeated request, too, is answered in today's words."""
    receiver = new_receiver()
    new_endpoint(receiver, projects=[project], event_types=["comment.created"])
    number, cursor = new_ticket()["number"], end(agent)
    headers = {"Idempotency-Key": f"comment-on-{number}"}
    written = {"body": "As before.", "visibility": "public"}
    made = agent.post(f"/tickets/{number}/comments", json=written, headers=headers).json()
    old = "data = data - 'ticket_number' || jsonb_build_object('ticket', data -> 'ticket_number')"
    assert db.execute(f"update events set {old} where type = 'comment.created' and ticket = %s", (number,)).rowcount

    again = agent.post(f"/tickets/{number}/comments", json=written, headers=headers)
    assert (again.headers["idempotent-replayed"], again.json()) == ("true", made)
    assert agent.pages(f"/tickets/{number}/events")[-1]["data"] == made
    assert since(agent, cursor)[-1]["data"] == made
    with agent.follow(cursor) as stream:
        assert told(stream, 1)[0]["data"] == made
    work(lambda: bool(receiver.messages))
    assert receiver.messages[0].json["data"] == made
