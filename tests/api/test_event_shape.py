"""One event in four places: the timeline, the feed, a stream and webhooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from test_feed import end, since
from test_stream import told
from test_tickets import New

from conftest import Person
from receiving import Receiver
from working import work

Db = psycopg.Connection[dict[str, Any]]


def test_comments_that_the_release_before_recorded_have_the_names_of_today(
    admin: Person, agent: Person, new_ticket: New, new_receiver: Callable[..., Receiver], db: Db
) -> None:
    """It called the number of the ticket `ticket`. A repeated request, too, is answered in today's words."""
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

    receiver = new_receiver()
    body = {"url": receiver.url, "event_types": ["comment.created"]}
    endpoint = admin.post("/webhook-endpoints", json=body).json()
    receiver.secrets.append(endpoint["secret"])
    (first,) = db.execute("select id from events where ticket = %s order by position limit 1", (number,)).fetchall()
    db.execute("delete from deliveries where endpoint_id = %s", (endpoint["id"],))
    redeliver = {"events_after": str(first["id"])}
    assert admin.post(f"/webhook-endpoints/{endpoint['id']}/redeliveries", json=redeliver).is_success
    work(lambda: bool(receiver.messages))
    assert receiver.messages[0].json["data"] == made
