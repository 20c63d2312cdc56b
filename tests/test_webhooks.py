"""Webhooks from end to end: endpoints, what they are told, how often, and what admins can do about it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

import receiving
from conftest import Person
from receiving import Receiver
from test_tickets import Events, New, patch
from working import read_the_log, work

Database = psycopg.Connection[dict[str, Any]]
NewEndpoint = Callable[..., dict[str, Any]]
NewReceiver = Callable[..., Receiver]


@pytest.fixture
def new_endpoint(admin: Person) -> Iterator[NewEndpoint]:
    """Add an endpoint, which goes with the test; a receiver then knows its secret."""
    ids: list[str] = []

    def new_endpoint(receiver: Receiver, **fields: Any) -> dict[str, Any]:
        response = admin.post("/webhook-endpoints", json={"url": receiver.url, "format": receiver.format} | fields)
        assert response.status_code == 201, response.text
        endpoint: dict[str, Any] = response.json()
        receiver.secrets.append(endpoint["secret"])
        ids.append(endpoint["id"])
        return endpoint

    yield new_endpoint
    for endpoint_id in ids:
        admin.delete(f"/webhook-endpoints/{endpoint_id}")


def change(admin: Person, endpoint: dict[str, Any], **fields: Any) -> Any:
    headers = {"Content-Type": "application/merge-patch+json"}
    return admin.patch(f"/webhook-endpoints/{endpoint['id']}", json=fields, headers=headers)


def deliveries(admin: Person, endpoint: dict[str, Any], **params: Any) -> list[Any]:
    """Of an endpoint, the oldest first."""
    return admin.pages("/webhook-deliveries", endpoint_id=endpoint["id"], **params)[::-1]


def test_a_ticket_is_told_of(
    admin: Person, new_ticket: New, new_receiver: NewReceiver, new_endpoint: NewEndpoint
) -> None:
    receiver = new_receiver()
    endpoint = new_endpoint(receiver)
    ticket = new_ticket()
    work(lambda: len(receiver.messages) == 1)
    (message,) = receiver.messages
    (event,) = admin.pages(f"/tickets/{ticket['number']}/events")
    assert message.id == event["id"]
    assert message.json["data"] == ticket
    assert message.json["timestamp"] == event["occurred_at"]
    (delivery,) = deliveries(admin, endpoint)
    assert (delivery["status"], delivery["attempt_count"], delivery["event_id"]) == ("delivered", 1, event["id"])
    detail = admin.get(f"/webhook-deliveries/{delivery['id']}").json()
    assert detail["body"].encode() == message.body
    assert [(a["number"], a["status"], a["answer"], a["error"]) for a in detail["attempts"]] == [(1, 204, "", None)]
