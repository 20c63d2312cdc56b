"""What a ticket is called: its number, an id that stays, and the address of its page."""

from __future__ import annotations

import secrets
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from test_feed import end, since
from test_tickets import Events, New, patch

from conftest import Person, configured

Db = psycopg.Connection[dict[str, Any]]


def test_a_ticket_has_an_id_and_an_address_wherever_it_is_shown(
    agent: Person, project: str, new_ticket: New, new_events: Events
) -> None:
    made = new_ticket()
    assert UUID(made["id"]).version == 7
    assert made["id"] != new_ticket()["id"]
    assert made["html_url"].endswith(f"/support/tickets/{made['number']}")
    read = agent.get(f"/tickets/{made['number']}").json()
    (listed,) = (each for each in agent.pages("/tickets", project=project) if each["number"] == made["number"])
    changed = patch(agent, made["number"], title="y").json()
    told, _, event = (each["data"] for each in new_events() if each["type"].startswith("ticket."))
    for body in (read, listed, changed, told, event):
        assert (body["id"], body["html_url"]) == (made["id"], made["html_url"])


def test_the_address_begins_with_the_public_url_and_leads_to_a_page(
    agent: Person, service: str, new_ticket: New
) -> None:
    number = new_ticket()["number"]
    before = agent.get(f"/tickets/{number}")
    with configured(public_url="https://support.lumen.example/desk"):
        after = agent.get(f"/tickets/{number}")
        assert after.json()["html_url"] == f"https://support.lumen.example/desk/support/tickets/{number}"
    edits = [each.json()["version"].partition(".")[0] for each in (before, after)]
    assert before.headers["etag"] != after.headers["etag"] and edits[0] == edits[1]
    with configured(public_url=service):
        page = httpx.get(agent.get(f"/tickets/{number}").json()["html_url"])
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("field", "value"), [("id", "01a20d0a-7980-7957-a49c-3e803f5053e4"), ("html_url", "https://elsewhere.example/1")]
)
def test_neither_can_be_changed(agent: Person, new_ticket: New, new_events: Events, field: str, value: str) -> None:
    made = new_ticket()
    new_events()
    assert patch(agent, made["number"], id=made["id"].upper(), html_url=made["html_url"]).status_code == 200
    refused = patch(agent, made["number"], **{field: value})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, f"#/{field}")
    assert new_events() == []


def test_what_the_release_before_has_written_is_told_with_the_id(
    admin: Person, project: str, db: Db, new_events: Events
) -> None:
    """In the feed, in the timeline, and to who repeats a request; also of a ticket that is gone."""
    body = {"type": "support", "project": project, "title": "x", "description": "y"}
    key = {"Idempotency-Key": secrets.token_hex(8)}
    cursor = end(admin)
    made = admin.post("/tickets", json=body, headers=key).json()
    gone = admin.post("/tickets", json=body).json()
    numbers = [made["number"], gone["number"]]
    db.execute("update events set data = data - 'id' where ticket = any(%s)", [numbers])
    db.execute("update events set data = data || '{\"id\": null}' where ticket = %s", [gone["number"]])
    db.execute("delete from tickets where number = %s", [gone["number"]])
    (first, other) = new_events()[-2:]
    assert first["data"] == made
    assert UUID(other["data"]["id"]) and other["data"] | {"id": "", "version": ""} == gone | {"id": "", "version": ""}
    assert admin.post("/tickets", json=body, headers=key).json() == made
    assert since(admin, cursor)[0]["data"] == made
    assert admin.get(f"/tickets/{made['number']}/events").json()["items"][0]["data"] == made
