"""A secret in everything that is for staff alone, looked for in all that others are shown."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import uuid_utils.compat as uuids
from psycopg.types.json import Jsonb
from test_comments import comment, edit
from test_feed import end, in_every_way, project_of
from test_tickets import New, patch

from conftest import ORGANIZATION, Person, settled
from receiving import Receiver
from working import work

Db = psycopg.Connection[dict[str, Any]]
PERSON = f"person{secrets.token_hex(6)}"
"""The name of a user, which agents see, whichever projects they staff."""
CANARY = f"canary{secrets.token_hex(6)}"
FORMATS = ("standard", "slack", "discord")


@pytest.fixture
def endpoints(
    admin: Person, db: Db, new_receiver: Callable[..., Receiver]
) -> Callable[..., Iterator[tuple[Receiver, str]]]:
    """Endpoints of each format that name every type, each with its receiver and its id."""
    db.execute("delete from webhook_endpoints")
    types = [row["type"] for row in db.execute("select type from event_types").fetchall()]

    def make(*, include_internal: bool) -> Iterator[tuple[Receiver, str]]:
        for format in FORMATS:
            receiver = new_receiver(format)
            body = {"url": receiver.url, "format": format, "event_types": types, "include_internal": include_internal}
            made = admin.post("/webhook-endpoints", json=body).json()
            receiver.secrets.append(made["secret"])
            yield receiver, made["id"]

    return make


def shown(by: Person, number: int, project: str, cursor: str) -> Iterator[tuple[str, str]]:
    """What somebody is shown, in every way there is; each with how."""
    addresses = [
        *(
            "/me",
            "/tokens",
            "/projects",
            "/tickets",
            "/users",
            "/webhook-endpoints",
            "/webhook-deliveries",
            "/ops/v1/jobs",
        ),
        *(f"/tickets/{number}{more}" for more in ("", "/comments", "/events")),
        *(f"/projects/{project}{more}" for more in ("", "/categories")),
    ]
    for address in addresses:
        response = by.get(address)
        yield address, response.text
        while response.is_success and "next" in response.links:
            response = by.get(response.links["next"]["url"].removeprefix("/api/v1"))
            yield address, response.text
    yield "feed and stream", json.dumps(in_every_way(by, cursor, lambda _: True))
    yield "the feed from its beginning", json.dumps(by.pages("/tickets"))


@pytest.mark.slow
def test_what_is_for_staff_is_shown_to_nobody_else(
    sign_in: Callable[..., Person],
    stranger: Person,
    colleague: Person,
    agent: Person,
    agent_elsewhere: Person,
    admin: Person,
    project: str,
    new_ticket: New,
    db: Db,
    endpoints: Callable[..., Iterator[tuple[Receiver, str]]],
) -> None:
    owner = sign_in("requester")
    public, internal = list(endpoints(include_internal=False)), list(endpoints(include_internal=True))
    others = (owner, stranger, colleague, agent_elsewhere)
    cursors = {person: end(person) for person in (*others, agent)}
    key = {"Idempotency-Key": secrets.token_hex(8)}
    body = {"type": "bug", "project": project, "title": "Playback stops", "description": ""}
    number = owner.post("/tickets", json=body, headers=key).json()["number"]
    db.execute("update tickets set organization = %s where number = %s", (ORGANIZATION, number))
    patch(agent, number, priority="high")
    hidden = f"p-{secrets.token_hex(5)}"

    def added(path: str, **fields: Any) -> None:
        response = admin.post(path, json=fields)
        assert response.is_success, response.text

    # All that the operations keep from others.
    note = comment(agent, number, CANARY, visibility="internal").json()
    edit(agent, f"/tickets/{number}/comments/{note['id']}", f"{CANARY} again")
    added("/projects", key=hidden, name=CANARY, description=CANARY)
    added(f"/projects/{hidden}/categories", key="music", name=CANARY)
    project_of(admin, hidden, visibility="public", name="Shown", description="")
    project_of(admin, hidden, visibility="private", name=CANARY, description=CANARY)
    added("/users", name=PERSON, email=f"{PERSON}@lumen.example")
    added("/tokens", name=CANARY, scopes=["tickets:read"])
    added("/webhook-endpoints", url=f"https://{CANARY}.example/", description=CANARY, event_types=["ticket.deleted"])
    job = db.execute(
        "select enqueue_job('test.nothing', %s, run_at => now() + interval '1 day') as id", [Jsonb({"x": CANARY})]
    ).fetchone()
    assert job
    added(f"/ops/v1/jobs/{job['id']}/cancellations")

    # And a field that is for staff, of every noun whose events others read; and what the release before this one wrote.
    here, there = {"ticket": number, "project": project}, {"ticket": None, "project": project}
    shown_project = owner.get(f"/projects/{project}").json()
    category = owner.get(f"/projects/{project}/categories/music").json()
    field, hidden_then = {"name": CANARY}, {"visibility": "private", "name": CANARY}
    for kind, of, data, previous, staff in (
        ("ticket.updated", here, owner.get(f"/tickets/{number}").json(), {}, field),
        ("comment.created", here, comment(owner, number, "aloud").json(), {}, field),
        ("project.updated", there, shown_project, {}, field),
        ("category.updated", there, category, {}, field),
        ("project.updated", there, shown_project | hidden_then, {"visibility": "public", "name": "Media"}, None),
        ("project.updated", there, shown_project, hidden_then, None),
    ):
        db.execute(
            "insert into events (id, type, ticket, project, data, previous, staff, staff_previous)"
            " values (%(id)s, %(kind)s, %(ticket)s, %(project)s, %(data)s, %(previous)s, %(staff)s, %(staff)s)",
            {
                **of,
                "id": uuids.uuid7(),
                "kind": kind,
                "staff": staff and Jsonb(staff),
                "data": Jsonb(data),
                "previous": Jsonb(previous),
            },
        )
    last = new_ticket(owner)["number"]
    settled(db)

    for person in others:
        for how, text in shown(person, number, project, cursors[person]):
            assert CANARY not in text, how
            assert PERSON not in text or person.role == "agent", how
    assert CANARY not in owner.post("/tickets", json=body, headers=key).text, "the answer again"
    whole = dict(shown(agent, number, project, cursors[agent]))
    assert whole["feed and stream"].count(CANARY) > 12
    assert CANARY in whole[f"/tickets/{number}/events"]

    pending = "select from deliveries d join webhook_endpoints w on w.id = d.endpoint_id where d.status = 'pending'"
    every = [endpoint for _, endpoint in (*public, *internal)]
    done = "select from deliveries d join events e on e.id = d.event_id where e.ticket = %s and d.status = 'delivered'"
    work(lambda: db.execute(done, (last,)).rowcount == len(every) and not db.execute(pending).rowcount)
    for receiver, endpoint in public:
        for message in receiver.messages:
            assert not any(secret in message.body.decode() for secret in (CANARY, PERSON)), receiver.format
        for delivery in admin.pages("/webhook-deliveries", endpoint_id=endpoint):
            assert CANARY not in admin.get(f"/webhook-deliveries/{delivery['id']}").text
    for receiver, _ in internal:
        assert any(CANARY in message.body.decode() for message in receiver.messages), receiver.format
