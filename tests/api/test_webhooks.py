"""Webhooks from end to end: endpoints, what they are told, how often, and what admins can do about it."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import test_invitations as invitations
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql
from standardwebhooks import Webhook
from test_comments import comment, edit
from test_tickets import Events, New, patch

import receiving
import working
from conftest import Browser, Person, await_, configured, settled
from judged import Judged, judge
from receiving import Receiver
from ticketing import sealing
from ticketing.commands.importing import app as import_app
from ticketing.db import embedded
from ticketing.ground import config
from ticketing.reactions.upkeep import escalate_tickets
from ticketing.reactions.webhooks import delivering, schedule
from working import do, read_the_log, work

Database = psycopg.Connection[dict[str, Any]]
NewEndpoint = Callable[..., dict[str, Any]]
NewReceiver = Callable[..., Receiver]


@pytest.fixture(autouse=True)
def alone(db: Database, service: str) -> None:
    """No endpoint of another test is told of ours."""
    db.execute("delete from webhook_endpoints")


@pytest.fixture
def new_endpoint(admin: Person) -> NewEndpoint:
    """Add an endpoint, and tell its receiver the secret."""

    def new_endpoint(receiver: Receiver, **fields: Any) -> dict[str, Any]:
        response = admin.post("/webhook-endpoints", json={"url": receiver.url, "format": receiver.format} | fields)
        assert response.status_code == 201, response.text
        endpoint: dict[str, Any] = response.json()
        receiver.secrets.append(endpoint["secret"])
        return endpoint

    return new_endpoint


def change(admin: Person, endpoint: dict[str, Any], **fields: Any) -> Any:
    headers = {"Content-Type": "application/merge-patch+json"}
    return admin.patch(f"/webhook-endpoints/{endpoint['id']}", json=fields, headers=headers)


def states(db: Database, event: dict[str, Any]) -> tuple[str, str]:
    """The status of an endpoint after and before an event, as `state`, where the release before finds it in the log."""
    row = db.execute("select data, previous from events where id = %s", (event["id"],)).fetchone()
    assert row
    return row["data"]["state"], row["previous"]["state"]


def deliveries(admin: Person, endpoint: dict[str, Any], **params: Any) -> list[Any]:
    """Of an endpoint, the oldest first."""
    return admin.pages("/webhook-deliveries", endpoint_id=endpoint["id"], **params)[::-1]


def tried(db: Database, endpoint: dict[str, Any]) -> int:
    """How often anything was sent to an endpoint, or should have been."""
    (row,) = db.execute(
        "select coalesce(sum(attempt_count), 0) as tries from deliveries where endpoint_id = %s", (endpoint["id"],)
    ).fetchall()
    return int(row["tries"])


def due_in(db: Database, endpoint: dict[str, Any]) -> float:
    """In how many seconds the only pending delivery of an endpoint is tried next; its job is due then, too."""
    (row,) = db.execute(
        "select extract(epoch from d.next_attempt_at - now()) as told, extract(epoch from j.run_at - now()) as due"
        "  from deliveries d join jobs j on j.unique_key = d.id::text and j.state = 'available'"
        " where d.endpoint_id = %s and d.status = 'pending'",
        (endpoint["id"],),
    ).fetchall()
    assert abs(row["told"] - row["due"]) < 1
    return float(row["due"])


def upkeep(db: Database) -> None:
    """What is done every hour, now."""
    (job,) = db.execute("select enqueue_job('webhooks.upkeep', '{}') as id").fetchall()
    state = "select 1 from jobs where id = %s and state = 'completed'"
    work(lambda: db.execute(state, (job["id"],)).fetchone() is not None)


def again(db: Database) -> None:
    """Move the clock on to the next try of every delivery."""
    db.execute("update jobs set run_at = now() where kind = 'webhooks.deliver' and state = 'available'")


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
    assert message.json["timestamp"] == event["timestamp"]
    (delivery,) = deliveries(admin, endpoint)
    assert (delivery["status"], delivery["attempt_count"], delivery["event_id"]) == ("delivered", 1, event["id"])
    detail = admin.get(f"/webhook-deliveries/{delivery['id']}").json()
    assert detail["body"].encode() == message.body
    (attempt,) = detail["attempts"]
    assert attempt.items() >= {"number": 1, "response_status": 204, "response_body": "", "error": None}.items()


def test_where_nothing_is_sent_deliveries_wait(
    new_ticket: New, new_receiver: NewReceiver, new_endpoint: NewEndpoint, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = new_receiver()
    endpoint = new_endpoint(receiver)
    with monkeypatch.context() as patched:
        off = replace(config.settings(), outbound="off")
        patched.setattr(delivering, "settings", lambda: off)
        new_ticket()
        held = (
            "select from jobs j join deliveries d on j.unique_key = d.id::text where d.endpoint_id = %s"
            " and j.state = 'available' and j.run_at > now() and j.attempt = 0 and d.attempt_count = 0"
        )
        work(lambda: db.execute(held, (endpoint["id"],)).fetchone() is not None)
        assert (receiver.messages, tried(db, endpoint)) == ([], 0)
    again(db)
    work(lambda: len(receiver.messages) == 1)


# Endpoints ----------------------------------------------------------------------------------------------------------


def test_create_webhook_endpoint(admin: Person, new_events: Events, db: Database, project: str) -> None:
    new_events()
    body = {
        "url": "https://hooks.lumen.example/tickets",
        "description": "The dashboard.",
        "event_types": ["ticket.created", "comment.created"],
        "projects": [project],
        "include_internal": True,
    }
    response = admin.post("/webhook-endpoints", json=body)
    assert response.status_code == 201
    endpoint = response.json()
    secret = endpoint.pop("secret")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert endpoint.items() >= (body | {"status": "active", "format": "standard"}).items()
    assert admin.get(response.headers["location"].removeprefix("/api/v1")).json() == endpoint
    assert endpoint in admin.pages("/webhook-endpoints", limit=1, status="active")
    (event,) = new_events()
    assert (event["type"], event["data"], str(event["actor_id"])) == ("webhook.created", endpoint, admin.id)
    plain = base64.b64decode(secret.removeprefix("whsec_"))
    for table in ("webhook_endpoints", "webhook_secrets", "events", "idempotency_keys", "jobs", "deliveries"):
        for form in (secret[6:-2], plain.hex()):
            stored = sql.SQL("select count(*) as found from {} t where strpos(t::text, %s) > 0")
            assert db.execute(stored.format(sql.Identifier(table)), (form,)).fetchone() == {"found": 0}


def test_a_repeated_request_gets_the_same_secret(admin: Person, db: Database) -> None:
    body, key = {"url": "https://hooks.lumen.example/"}, {"Idempotency-Key": secrets.token_hex(8)}
    first, second = (admin.post("/webhook-endpoints", json=body, headers=key) for _ in range(2))
    assert (second.status_code, second.json()) == (201, first.json())
    assert second.headers["idempotent-replayed"] == "true"
    assert admin.post("/webhook-endpoints", json=body | {"description": "x"}, headers=key).status_code == 422
    path = f"/webhook-endpoints/{first.json()['id']}"
    assert admin.delete(path).status_code == 204
    assert admin.post("/webhook-endpoints", json=body, headers=key).status_code == 409


def test_a_repeated_request_is_answered_whatever_its_host_has_become(admin: Person) -> None:
    body, key = {"url": "https://127.0.0.1/"}, {"Idempotency-Key": secrets.token_hex(8)}
    first = admin.post("/webhook-endpoints", json=body, headers=key)
    with configured(webhook_allow=""):
        again = admin.post("/webhook-endpoints", json=body, headers=key)
        assert (again.status_code, again.json()) == (201, first.json())
        assert again.headers["idempotent-replayed"] == "true"
        assert admin.post("/webhook-endpoints", json=body).status_code == 422
        assert admin.post("/webhook-endpoints", json=body | {"description": "x"}, headers=key).status_code == 422


def test_a_repeated_request_whose_secret_cannot_be_opened_any_more_is_told_so(admin: Person) -> None:
    body, keys = {"url": "https://hooks.lumen.example/"}, [{"Idempotency-Key": secrets.token_hex(8)} for _ in "ab"]
    endpoint = admin.post("/webhook-endpoints", json=body, headers=keys[0]).json()["id"]
    rotate = f"/webhook-endpoints/{endpoint}/secrets"
    assert admin.post(rotate, headers=keys[1]).status_code == 201
    with configured(secret_keys=sealing.new_key()):
        for path, sent, key in (("/webhook-endpoints", body, keys[0]), (rotate, None, keys[1])):
            answer = admin.post(path, json=sent, headers=key)
            assert (answer.status_code, answer.json()["code"]) == (409, "secret_not_shown")
            assert "no longer in TICKETING_SECRET_KEYS" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://10.0.0.1/", "not public"),
        ("https://[::ffff:127.0.0.1]/", "not public"),
        ("https://2130706433/", "four decimal numbers"),
        ("http://1.1.1.1/", "need https://"),
        ("https://1.1.1.1:22/", "port 22"),
        ("https://user:pass@hooks.lumen.example/", "no user name"),
        ("https://hooks.lumen.example/#top", "no fragment"),
        ("http://hooks.lumen.example/", "need https://"),
        ("https://hooks.lumen.example:8443/", "port 8443"),
    ],
)
def test_a_url_that_nothing_is_sent_to(admin: Person, agent: Person, new_events: Events, url: str, reason: str) -> None:
    endpoint = admin.post("/webhook-endpoints", json={"url": "https://hooks.lumen.example/"}).json()
    new_events()
    for response in (admin.post("/webhook-endpoints", json={"url": url}), change(admin, endpoint, url=url)):
        (fault,) = response.json()["errors"]
        assert (response.status_code, fault["pointer"]) == (422, "#/url")
        assert reason in fault["detail"]
    for response in (agent.post("/webhook-endpoints", json={"url": url}), change(agent, endpoint, url=url)):
        assert response.status_code == 403, "whoever may not add endpoints may not have the network looked at either"
    assert new_events() == []


def test_a_project_that_is_not_there(admin: Person, project: str) -> None:
    absent = [f"p-{secrets.token_hex(5)}" for _ in "ab"]
    body = {"url": "https://hooks.lumen.example/", "projects": [absent[0], project, absent[1]]}
    faults = admin.post("/webhook-endpoints", json=body).json()["errors"]
    assert [fault["pointer"] for fault in faults] == ["#/projects/0", "#/projects/2"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": None},
        {"url": "https://a/" + "x" * 2000},
        {"url": "https://a/", "event_types": ["ticket.exploded"]},
        {"url": "https://a/", "event_types": ["ticket.created"] * 2},
        {"url": "https://a/", "projects": ["A"]},
        {"url": "https://a/", "projects": [f"p{number}" for number in range(101)]},
        {"url": "https://a/", "format": "teams"},
        {"url": "https://a/", "status": "paused"},
        {"url": "https://a/", "secret": "whsec_AAAA"},
        {"url": "https://a/", "include_internal": "yes"},
    ],
)
def test_hostile_bodies(admin: Person, body: dict[str, Any]) -> None:
    assert admin.post("/webhook-endpoints", json=body).status_code == 422
    assert admin.post("/webhook-endpoints", json=body | {"description": "a\0b"}).status_code == 400


def test_update_webhook_endpoint(admin: Person, new_events: Events, db: Database) -> None:
    endpoint = admin.post("/webhook-endpoints", json={"url": "https://hooks.lumen.example/"}).json()
    path = f"/webhook-endpoints/{endpoint['id']}"
    tag = admin.get(path).headers["etag"]
    new_events()
    response = change(admin, endpoint, url="https://hooks.lumen.example/2", status="disabled")
    assert response.status_code == 200
    changed = response.json()
    assert (changed["url"], changed["status"]) == ("https://hooks.lumen.example/2", "disabled")
    assert changed["disabled_at"] is not None
    (event,) = new_events()
    assert (event["type"], event["data"]) == ("webhook.updated", changed)
    assert event["previous"] == {"url": "https://hooks.lumen.example/", "status": "active"}
    assert states(db, event) == ("disabled", "active")
    headers = {"Content-Type": "application/merge-patch+json", "If-Match": tag}
    assert admin.patch(path, json={"description": "x"}, headers=headers).status_code == 412
    assert change(admin, endpoint, status="disabled").json() == changed
    assert new_events() == []
    back = change(admin, endpoint, status="active").json()
    assert (back["disabled_at"], back["failing_since"]) == (None, None)
    (event,) = new_events()
    assert event["previous"] == {"status": "disabled", "disabled_at": changed["disabled_at"]}
    assert states(db, event) == ("active", "disabled")


def test_delete_webhook_endpoint(
    admin: Person,
    new_ticket: New,
    new_receiver: NewReceiver,
    new_endpoint: NewEndpoint,
    new_events: Events,
) -> None:
    """With what is on its way."""
    receiver = new_receiver()
    endpoint = new_endpoint(receiver)
    new_ticket()
    read_the_log()
    (delivery,) = deliveries(admin, endpoint)
    path = f"/webhook-endpoints/{endpoint['id']}"
    assert admin.delete(path, headers={"If-Match": '"stale"'}).status_code == 412
    new_events()
    assert admin.delete(path).status_code == 204
    (event,) = new_events()
    assert (event["type"], event["data"]["id"]) == ("webhook.deleted", endpoint["id"])
    assert admin.delete(path).status_code == 404
    assert admin.get(f"/webhook-deliveries/{delivery['id']}").status_code == 404
    refused = admin.get("/webhook-deliveries", params={"endpoint_id": endpoint["id"]})
    assert refused.json()["errors"][0]["parameter"] == "endpoint_id"
    control = new_receiver()
    new_endpoint(control)
    new_ticket()
    work(lambda: len(control.messages) == 1)
    assert receiver.messages == []


def test_an_installation_without_keys(admin: Person) -> None:
    endpoint = admin.post("/webhook-endpoints", json={"url": "https://hooks.lumen.example/"}).json()
    with configured(secret_keys=None):
        for path in ("/webhook-endpoints", f"/webhook-endpoints/{endpoint['id']}/secrets"):
            response = admin.post(path, json={"url": "https://hooks.lumen.example/"} if path.endswith("s") else None)
            assert (response.status_code, response.json()["code"]) == (409, "not_configured")
            assert "TICKETING_SECRET_KEYS" in response.json()["detail"]
        assert change(admin, endpoint, status="paused").status_code == 200


# Secrets ------------------------------------------------------------------------------------------------------------


def test_rotate_webhook_secret(
    admin: Person,
    new_ticket: New,
    new_receiver: NewReceiver,
    new_endpoint: NewEndpoint,
    new_events: Events,
    db: Database,
) -> None:
    """For a day both secrets sign; then only the new one."""
    receiver = new_receiver()
    endpoint = new_endpoint(receiver)
    path, key = f"/webhook-endpoints/{endpoint['id']}/secrets", {"Idempotency-Key": secrets.token_hex(8)}
    new_events()
    rotated = admin.post(path, headers=key).json()
    assert rotated == {**admin.get(f"/webhook-endpoints/{endpoint['id']}").json(), "secret": rotated["secret"]}
    assert rotated["secret"] != endpoint["secret"]
    (event,) = new_events()
    assert (event["type"], event["data"]["id"]) == ("webhook.rotated", endpoint["id"])
    replayed = admin.post(path, headers=key)
    assert (replayed.json(), replayed.headers["idempotent-replayed"]) == (rotated, "true")

    for secret, hours, signatures in ((endpoint, 23, 2), (rotated, 23, 2), (rotated, 25, 1)):
        receiver.secrets[:] = [secret["secret"]]
        past = "update webhook_secrets set expires_at = expires_at - %s where endpoint_id = %s"
        db.execute(past, (timedelta(hours=hours), endpoint["id"]))
        receiver.messages.clear()
        new_ticket()
        work(lambda: len(receiver.messages) == 1)
        assert len(receiver.messages[0].headers["webhook-signature"].split()) == signatures
        db.execute(past, (timedelta(hours=-hours), endpoint["id"]))
    assert receiver.faults == []

    db.execute("update webhook_secrets set expires_at = now() - interval '1 day' where expires_at is not null")
    assert admin.post(f"/webhook-endpoints/{uuid4()}/secrets").status_code == 404
    third = admin.post(path).json()["secret"]
    (kept,) = db.execute(
        "select count(*) as n from webhook_secrets where endpoint_id = %s", (endpoint["id"],)
    ).fetchall()
    assert kept["n"] == 2, "the one that expired is forgotten"
    assert third not in (rotated["secret"], endpoint["secret"])


def test_secrets_that_are_rotated_at_once_all_hold(
    admin: Person, new_ticket: New, new_receiver: NewReceiver, new_endpoint: NewEndpoint, new_events: Events
) -> None:
    receiver = new_receiver()
    endpoint = new_endpoint(receiver)
    path = f"/webhook-endpoints/{endpoint['id']}/secrets"
    new_events()
    with ThreadPoolExecutor(6) as together:
        answers = list(together.map(lambda _: admin.post(path), range(6)))
    assert {answer.status_code for answer in answers} == {201}
    made = {answer.json()["secret"] for answer in answers}
    assert len(made) == 6
    assert [event["type"] for event in new_events()] == ["webhook.rotated"] * 6
    new_ticket()
    work(lambda: len(receiver.messages) == 1)
    (message,) = receiver.messages
    for secret in made | {endpoint["secret"]}:
        Webhook(secret).verify(message.body, message.headers)


def test_no_more_than_ten_secrets_of_an_endpoint_hold_at_once(
    admin: Person,
    new_ticket: New,
    new_receiver: NewReceiver,
    new_endpoint: NewEndpoint,
    new_events: Events,
    db: Database,
) -> None:
    receiver = new_receiver()
    endpoint = new_endpoint(receiver)
    path, key = f"/webhook-endpoints/{endpoint['id']}/secrets", {"Idempotency-Key": secrets.token_hex(8)}
    made = [admin.post(path).json()["secret"] for _ in range(9)]
    new_events()
    refused = admin.post(path, headers=key)
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_secrets")
    assert refused.json()["detail"].startswith("10 secrets of this endpoint hold")
    assert new_events() == []
    new_ticket()
    work(lambda: len(receiver.messages) == 1)
    (message,) = receiver.messages
    assert len(message.headers["webhook-signature"]) == 10 * 47 + 9
    for secret in [endpoint["secret"], *made]:
        Webhook(secret).verify(message.body, message.headers)
    oldest = "select id from webhook_secrets where endpoint_id = %s order by id limit 1"
    db.execute(f"update webhook_secrets set expires_at = now() where id = ({oldest})", (endpoint["id"],))
    assert admin.post(path, headers=key).status_code == 201


def test_keys_are_exchanged(
    admin: Person,
    new_ticket: New,
    new_receiver: NewReceiver,
    new_endpoint: NewEndpoint,
    monkeypatch: pytest.MonkeyPatch,
    db: Database,
) -> None:
    """A new key before the old one: the upkeep seals everything with it, and the old one can go."""
    receiver = new_receiver()
    endpoint = new_endpoint(receiver)
    assert admin.post(f"/webhook-endpoints/{endpoint['id']}/secrets").status_code == 201
    monkeypatch.setattr("ticketing.reactions.webhooks.upkeep.BATCH", 1)
    old, new = config.settings().secret_keys, sealing.new_key()

    with configured(secret_keys=f"{new},{old}"):
        upkeep(db)
        sealed = "select distinct key_id from webhook_secrets where endpoint_id = %s"
        assert [row["key_id"] for row in db.execute(sealed, (endpoint["id"],))] == [sealing.first_key()]
    with configured(secret_keys=new):
        new_ticket()
        work(lambda: len(receiver.messages) == 1)
    with configured(secret_keys=sealing.new_key()):
        new_ticket()
        read_the_log()
        work(lambda: tried(db, endpoint) == 2)
    assert len(receiver.messages) == 1
    (pending,) = deliveries(admin, endpoint, status="pending")
    (attempt,) = attempts(admin, pending)
    assert "not in TICKETING_SECRET_KEYS any more" in attempt["error"]


def attempts(admin: Person, delivery: dict[str, Any]) -> list[Any]:
    attempts: list[Any] = admin.get(f"/webhook-deliveries/{delivery['id']}").json()["attempts"]
    return attempts


# Deliveries ---------------------------------------------------------------------------------------------------------


def receive_one(
    db: Database, new_ticket: New, receiver: Receiver, endpoint: dict[str, Any], tries: int = 1
) -> dict[str, Any]:
    """Open a ticket and let it be told of, so many times; gives the ticket."""
    before = tried(db, endpoint)
    ticket = new_ticket()
    work(lambda: tried(db, endpoint) == before + tries)
    return ticket


@pytest.mark.parametrize(
    ("behaviour", "status", "error"),
    [
        (receiving.answering(500, b"oh no\0"), 500, "answered 500"),
        (receiving.answering(404, b"oh no\0"), 404, "answered 404"),
        (receiving.answering(301, b"oh no\0", Location=receiving.ELSEWHERE), 301, "answered 301"),
        (receiving.answering(302, b"oh no\0", Location="http://127.0.0.1:9/"), 302, "answered 302"),
        (receiving.answering(307, b"oh no\0", Location=receiving.ELSEWHERE), 307, "answered 307"),
        (receiving.answering(101, Upgrade="websocket", Connection="upgrade"), None, "broke off"),
        (receiving.hanging_up, None, "broke off"),
        (receiving.broken_off, None, "broke off"),
        (receiving.endless_head, None, "had not ended after 65,536 bytes"),
        (receiving.trickling, None, "no answer within 0.5 seconds"),
        (receiving.endless_interim_answers, None, "had not ended after 65,536 bytes"),
        (receiving.no_http, None, "broke off"),
        pytest.param(receiving.slow(3), None, "no answer within 0.5 seconds", marks=pytest.mark.slow),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_receiver_that_fails(
    admin: Person,
    new_ticket: New,
    new_receiver: NewReceiver,
    new_endpoint: NewEndpoint,
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: receiving.Behaviour,
    status: int | None,
    error: str,
) -> None:
    receiver = new_receiver()
    endpoint = new_endpoint(receiver)
    receiver.behaviour = behaviour
    with monkeypatch.context() as patch:
        if "0.5 seconds" in error:
            patch.setattr(delivering, "SECONDS", 0.5)
        receive_one(db, new_ticket, receiver, endpoint)
    assert len(receiver.messages) == 1
    assert 1 < due_in(db, endpoint) < 6
    (delivery,) = deliveries(admin, endpoint, status="pending")
    (attempt,) = attempts(admin, delivery)
    assert attempt["response_status"] == status
    assert error in attempt["error"]
    assert (attempt["response_body"] is None) == (status is None)
    assert admin.get(f"/webhook-endpoints/{endpoint['id']}").json()["failing_since"] is not None

    receiver.behaviour = receiving.answering()
    again(db)
    work(lambda: tried(db, endpoint) == 2)
    assert receiver.messages[0].id == receiver.messages[1].id
    assert receiver.messages[0].body == receiver.messages[1].body
    (delivery,) = deliveries(admin, endpoint)
    assert (delivery["status"], delivery["attempt_count"]) == ("delivered", 2)
    assert admin.get(f"/webhook-endpoints/{endpoint['id']}").json()["failing_since"] is None


def test_nobody_listens(
    admin: Person, new_ticket: New, new_receiver: NewReceiver, new_endpoint: NewEndpoint, db: Database
) -> None:
    receiver = new_receiver()
    endpoint = new_endpoint(receiver)
    receiver.close()
    receive_one(db, new_ticket, receiver, endpoint)
    (delivery,) = deliveries(admin, endpoint)
    assert "no connection" in attempts(admin, delivery)[0]["error"]


def test_a_host_that_is_not_public_any_more(
    admin: Person,
    new_ticket: New,
    new_receiver: NewReceiver,
    new_endpoint: NewEndpoint,
    db: Database,
) -> None:
    """It is looked at again at each delivery."""
    receiver = new_receiver()
    endpoint = new_endpoint(receiver)
    with configured(webhook_allow=""):
        receive_one(db, new_ticket, receiver, endpoint)
    assert receiver.messages == []
    (delivery,) = deliveries(admin, endpoint)
    assert "not public" in attempts(admin, delivery)[0]["error"]


@pytest.mark.parametrize(
    ("behaviour", "answer"),
    [
        (receiving.answering(200, "é".encode() * 1000), "é" * 512),
        (receiving.answering(202, b"\xff\0"), "\ufffd\ufffd"),
        (receiving.broken_off_later, "half of"),
        (receiving.babbling, "x" * 1024),
        pytest.param(receiving.slow(0.3), "", marks=pytest.mark.slow),
        (receiving.endless_trailers, "x"),
        (receiving.interim, "ok"),
    ],
    ids=["long", "bytes", "half", "endless", "slow", "trailers", "interim"],
)
def test_an_odd_answer_of_a_receiver_that_accepts(
    admin: Person,
    new_ticket: New,
    new_receiver: NewReceiver,
    new_endpoint: NewEndpoint,
    db: Database,
    behaviour: receiving.Behaviour,
    answer: str,
) -> None:
    receiver = new_receiver()
    endpoint = new_endpoint(receiver)
    receiver.behaviour = behaviour
    receive_one(db, new_ticket, receiver, endpoint)
    (delivery,) = deliveries(admin, endpoint, status="delivered,failed", event_type="ticket.created,ticket.updated")
    assert attempts(admin, delivery)[0]["response_body"] == answer


def test_a_receiver_that_is_gone(
    admin: Person,
    new_ticket: New,
    new_receiver: NewReceiver,
    new_endpoint: NewEndpoint,
    new_events: Events,
    db: Database,
) -> None:
    """410: it is not asked again, and what was on its way fails."""
    receiver = new_receiver()
    endpoint = new_endpoint(receiver)
    new_ticket()
    new_ticket()
    receiver.behaviour = receiving.answering(410)
    new_events()
    failed = "select from deliveries where endpoint_id = %s and status = 'failed'"
    work(lambda: db.execute(failed, (endpoint["id"],)).rowcount == 2)
    endpoint = admin.get(f"/webhook-endpoints/{endpoint['id']}").json()
    assert (endpoint["status"], endpoint["disabled_at"] is None) == ("disabled", False)
    (event,) = new_events()
    assert (event["type"], event["data"], event["actor_id"]) == ("webhook.disabled", endpoint, None)
    assert event["previous"] == {"status": "active", "disabled_at": None}
    assert states(db, event) == ("disabled", "active")
    new_ticket()
    read_the_log()
    assert len(deliveries(admin, endpoint)) == 2


@pytest.mark.parametrize(
    ("status", "header", "least", "most"),
    [
        (429, "120", 100, 121),
        (503, "in", 3500, 3601),
        (503, "999999999999", 86300, 86401),
        (429, "1", 1, 6),
        (429, "soon", 1, 6),
        (503, "-5", 1, 6),
        (503, "Thu, 01 Jan 1970 00:00:00 GMT", 1, 6),
        (503, "Mon, 01 Jan 2020 00:00:00 +99999999999999", 1, 6),
        (429, "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", 1, 6),
        (500, "120", 1, 6),
    ],
)
def test_retry_after(
    admin: Person,
    new_ticket: New,
    new_receiver: NewReceiver,
    new_endpoint: NewEndpoint,
    db: Database,
    status: int,
    header: str,
    least: float,
    most: float,
) -> None:
    if header == "in":
        header = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    receiver = new_receiver()
    endpoint = new_endpoint(receiver)
    receiver.behaviour = receiving.answering(status, Retry_After=header)
    receive_one(db, new_ticket, receiver, endpoint)
    assert least < due_in(db, endpoint) < most


DATES = st.builds(
    "{}, {} {} {} {}:{}:{} {}{}".format,
    st.sampled_from(["Mon", "Sunday", "", "x"]),
    st.integers(-1, 10**20),
    st.sampled_from(["Jan", "dec", "13", ""]),
    st.integers(-1, 10**20) | st.integers(1, 9999),
    *[st.integers(-1, 70) | st.integers(0, 10**20)] * 3,
    st.sampled_from(["GMT", "+", "-", "", "Z"]),
    st.sampled_from(["", "0000", "2359", "9" * 20]),
)


@settings(max_examples=500, deadline=None)
@given(DATES | st.text(max_size=40) | st.integers().map(str), st.datetimes(timezones=st.just(UTC)))
def test_whatever_a_receiver_says_there_is_a_pause(header: str, now: datetime) -> None:
    asked = schedule.retry_after(header, now)
    assert asked >= 0
    assert 5 <= (schedule.pause_after(1, asked) or 0) <= schedule.LONGEST_WAIT


def test_ten_tries_in_three_days(
    admin: Person, new_ticket: New, new_receiver: NewReceiver, new_endpoint: NewEndpoint, db: Database
) -> None:
    receiver = new_receiver()
    endpoint = new_endpoint(receiver)
    receiver.behaviour = receiving.answering(500)
    new_ticket()
    pauses = []
    for tries in range(1, 11):
        work(lambda wanted=tries: tried(db, endpoint) == wanted)  # type: ignore[misc]
        if tries < 10:
            pauses.append(due_in(db, endpoint))
            again(db)
    for pause, planned in zip(pauses, schedule.PAUSES, strict=True):
        assert planned - 4 <= pause <= planned * 1.1
    assert 72 * 3600 < sum(schedule.PAUSES) < 80 * 3600
    assert len(set(receiver.ids)) == 1
    assert len({message.body for message in receiver.messages}) == 1
    (delivery,) = deliveries(admin, endpoint)
    assert (delivery["status"], delivery["attempt_count"], delivery["next_attempt_at"]) == ("failed", 10, None)
    assert [attempt["number"] for attempt in attempts(admin, delivery)] == list(range(1, 11))


def test_an_endpoint_that_does_nothing_but_fail(
    admin: Person,
    new_ticket: New,
    new_receiver: NewReceiver,
    new_endpoint: NewEndpoint,
    new_events: Events,
    db: Database,
) -> None:
    """It is warned of after 72 hours and disabled after 120, and whoever wants to know is told."""
    receiver, watcher = new_receiver(), new_receiver()
    endpoint = new_endpoint(receiver)
    new_endpoint(watcher, event_types=["webhook.failing", "webhook.disabled"], include_internal=True)
    receiver.behaviour = receiving.answering(500)
    new_events()

    def failing_for(hours: int) -> list[str]:
        since = "update webhook_endpoints set failing_since = now() - %s where id = %s"
        db.execute(since, (timedelta(hours=hours), endpoint["id"]))
        receive_one(db, new_ticket, receiver, endpoint)
        told = [event for event in new_events() if event["type"] != "ticket.created"]
        assert all(event["internal"] for event in told)
        return [event["type"] for event in told]

    receive_one(db, new_ticket, receiver, endpoint)
    assert failing_for(71) == []
    assert failing_for(73) == ["webhook.failing"]
    assert failing_for(119) == [], "once is enough"
    receiver.behaviour = receiving.answering()
    receive_one(db, new_ticket, receiver, endpoint)
    assert admin.get(f"/webhook-endpoints/{endpoint['id']}").json()["failing_since"] is None
    receiver.behaviour = receiving.answering(500)
    receive_one(db, new_ticket, receiver, endpoint)
    assert failing_for(73) == ["webhook.failing"], "it was well in between"
    assert failing_for(121) == ["webhook.disabled"]
    work(lambda: len(watcher.messages) == 3)
    assert watcher.types == ["webhook.failing", "webhook.failing", "webhook.disabled"]
    disabled = admin.get(f"/webhook-endpoints/{endpoint['id']}").json()
    assert watcher.messages[-1].json["data"] == disabled
    assert disabled["status"] == "disabled"


# Pauses, pings, redeliveries ----------------------------------------------------------------------------------------


def test_a_pause_keeps_the_backlog(
    admin: Person, new_ticket: New, new_receiver: NewReceiver, new_endpoint: NewEndpoint, db: Database
) -> None:
    """What was on its way, what waited for its next try, and what came meanwhile; released in order."""
    receiver, control = new_receiver(), new_receiver()
    endpoint = new_endpoint(receiver)
    new_endpoint(control)
    receiver.behaviour = receiving.answering(500)
    tickets = [receive_one(db, new_ticket, receiver, endpoint)]
    tickets.append(new_ticket())
    read_the_log()
    assert change(admin, endpoint, status="paused").status_code == 200
    tickets += [new_ticket() for _ in range(4)]
    again(db)
    work(lambda: len(control.messages) == 6)
    assert len(receiver.messages) == 1
    held = deliveries(admin, endpoint)
    assert [(delivery["status"], delivery["next_attempt_at"]) for delivery in held] == [("pending", None)] * 6

    receiver.behaviour = receiving.answering()
    receiver.messages.clear()
    assert change(admin, endpoint, status="active").status_code == 200
    work(lambda: tried(db, endpoint) == 7)
    told = [message.json["ticket_number"] for message in receiver.messages]
    assert sorted(told) == [ticket["number"] for ticket in tickets]
    # One begins when all before it have arrived but those that are on their way as well; a slow one may come last.
    assert all(place - told.index(ticket["number"]) < delivering.AT_ONCE for place, ticket in enumerate(tickets))
    assert {delivery["status"] for delivery in deliveries(admin, endpoint)} == {"delivered"}


def test_a_disabled_endpoint_keeps_nothing(
    admin: Person, new_ticket: New, new_receiver: NewReceiver, new_endpoint: NewEndpoint, db: Database
) -> None:
    receiver = new_receiver()
    endpoint = new_endpoint(receiver)
    first = new_ticket()
    read_the_log()
    disabled = change(admin, endpoint, status="disabled").json()
    failed = "select from deliveries where endpoint_id = %s and status = 'failed'"
    second = new_ticket()
    read_the_log()
    work(lambda: db.execute(failed, (endpoint["id"],)).rowcount == 1)
    (delivery,) = deliveries(admin, endpoint)
    (attempt,) = admin.get(f"/webhook-deliveries/{delivery['id']}").json()["attempts"]
    assert (delivery["status"], attempt["response_status"], attempt["error"]) == ("failed", None, delivering.DISABLED)
    assert admin.post(f"/webhook-endpoints/{endpoint['id']}/pings").json()["code"] == "endpoint_disabled"
    path = f"/webhook-endpoints/{endpoint['id']}/redeliveries"
    assert admin.post(path, json={"events_since": disabled["disabled_at"]}).json()["code"] == "endpoint_disabled"

    change(admin, endpoint, status="active")
    assert admin.post(path, json={"events_since": disabled["disabled_at"]}).status_code == 202
    work(lambda: len(receiver.messages) == 1)
    assert [message.json["ticket_number"] for message in receiver.messages] == [second["number"]]
    assert admin.post(path, json={"failed_since": first["created_at"]}).status_code == 202
    work(lambda: len(receiver.messages) == 2)
    assert [message.json["ticket_number"] for message in receiver.messages] == [second["number"], first["number"]]


@pytest.fixture
def paused(admin: Person, new_receiver: NewReceiver, new_endpoint: NewEndpoint) -> tuple[Receiver, dict[str, Any]]:
    """A paused endpoint that gets what is for staff, and its receiver: what happens meanwhile waits."""
    receiver = new_receiver()
    endpoint = new_endpoint(receiver, include_internal=True)
    change(admin, endpoint, status="paused")
    return receiver, endpoint


def test_what_is_for_staff_is_not_sent_any_more_once_an_endpoint_gets_none_of_it(
    admin: Person, agent: Person, new_ticket: New, paused: tuple[Receiver, dict[str, Any]], db: Database
) -> None:
    """Nor what waits already, nor what is resent; an admin sees why."""
    receiver, endpoint = paused
    number = new_ticket()["number"]
    comment(agent, number, "canary", visibility="internal")
    comment(agent, number, "said aloud")
    admin.post("/users", json={"name": "Ada", "email": f"{secrets.token_hex(5)}@lumen.example"})
    assert admin.post(f"/webhook-endpoints/{endpoint['id']}/pings").status_code == 202
    read_the_log()
    assert change(admin, endpoint, status="active", include_internal=False).status_code == 200

    settled_ = "select from deliveries where endpoint_id = %s and status <> 'pending'"
    work(lambda: db.execute(settled_, (endpoint["id"],)).rowcount == 5)
    assert sorted(receiver.types) == ["comment.created", "ticket.created", "webhook.pinged"]
    withheld = deliveries(admin, endpoint, status="failed")
    assert [delivery["event_type"] for delivery in withheld] == ["comment.created", "user.created"]
    (attempt,) = admin.get(f"/webhook-deliveries/{withheld[0]['id']}").json()["attempts"]
    assert (attempt["response_status"], attempt["error"]) == (None, delivering.WITHHELD)

    path = f"/webhook-endpoints/{endpoint['id']}/redeliveries"
    assert admin.post(path, json={"delivery_id": withheld[0]["id"]}).status_code == 202
    work(lambda: tried(db, endpoint) == 6)
    assert not any(b"canary" in message.body for message in receiver.messages)
    assert admin.get(f"/webhook-endpoints/{endpoint['id']}").json()["failing_since"] is None


def test_what_is_for_staff_is_withheld_although_its_event_is_not_kept_any_more(
    admin: Person, agent: Person, new_ticket: New, paused: tuple[Receiver, dict[str, Any]], db: Database
) -> None:
    """Nobody can look up any more that the comment was internal; what is for everybody is sent."""
    receiver, endpoint = paused
    number = new_ticket()["number"]
    comment(agent, number, "canary", visibility="internal")
    comment(agent, number, "said aloud")
    read_the_log()
    db.execute("delete from events where ticket = %s", (number,))
    assert change(admin, endpoint, status="active", include_internal=False).status_code == 200
    work(lambda: tried(db, endpoint) == 3)
    assert sorted(receiver.types) == ["comment.created", "ticket.created"]
    assert not any(b"canary" in message.body for message in receiver.messages)
    (withheld,) = deliveries(admin, endpoint, status="failed")
    detail = admin.get(f"/webhook-deliveries/{withheld['id']}").json()
    assert (detail["body"], detail["attempts"][0]["error"]) == ("", delivering.WITHHELD)


def test_what_is_for_staff_is_withheld_although_the_release_before_wrote_a_body_for_all(
    admin: Person, agent: Person, new_ticket: New, paused: tuple[Receiver, dict[str, Any]], db: Database
) -> None:
    receiver, endpoint = paused
    comment(agent, new_ticket()["number"], "canary", visibility="internal")
    read_the_log()
    db.execute("update webhook_messages set body = internal_body where body = ''")
    assert change(admin, endpoint, status="active", include_internal=False).status_code == 200
    work(lambda: tried(db, endpoint) == 2)
    assert receiver.types == ["ticket.created"]


def test_a_message_that_is_written_only_when_it_is_sent_has_nothing_for_others_either(
    admin: Person, agent: Person, new_ticket: New, paused: tuple[Receiver, dict[str, Any]], db: Database
) -> None:
    receiver, endpoint = paused
    comment(agent, new_ticket()["number"], "canary", visibility="internal")
    read_the_log()
    of_ours = "from webhook_messages where event_id in (select event_id from deliveries where endpoint_id = %s)"
    db.execute(f"delete {of_ours}", (endpoint["id"],))
    change(admin, endpoint, status="active")
    work(lambda: len(receiver.messages) == 2)
    bodies = [row["body"] for row in db.execute(f"select body {of_ours} order by body", (endpoint["id"],))]
    assert bodies[0] == "" and "canary" not in bodies[1]


@pytest.mark.parametrize("status", ["paused", "disabled"])
def test_an_endpoint_that_was_sent_nothing_for_a_while_has_not_failed_meanwhile(
    admin: Person, new_receiver: NewReceiver, new_endpoint: NewEndpoint, db: Database, status: str
) -> None:
    """Otherwise the first failure after a long pause would disable it at once."""
    endpoint = new_endpoint(new_receiver())
    db.execute(
        "update webhook_endpoints set failing_since = now() - interval '30 days', warned_at = now() where id = %s",
        (endpoint["id"],),
    )
    assert change(admin, endpoint, description="x").json()["failing_since"] is not None
    change(admin, endpoint, status=status)
    back = change(admin, endpoint, status="active").json()
    assert back["failing_since"] is None
    assert db.execute("select from webhook_endpoints where id = %s and warned_at is null", (endpoint["id"],)).rowcount


@pytest.mark.parametrize(("status", "outcome"), [("disabled", "failed"), ("active", "delivered")])
def test_a_pause_that_ends_otherwise(
    admin: Person,
    new_ticket: New,
    new_receiver: NewReceiver,
    new_endpoint: NewEndpoint,
    db: Database,
    status: str,
    outcome: str,
) -> None:
    """Disabled while it was paused: its backlog fails; or is sent, if it is active again before anybody looked."""
    endpoint = new_endpoint(new_receiver())
    change(admin, endpoint, status="paused")
    new_ticket()
    read_the_log()
    change(admin, endpoint, status="disabled")
    change(admin, endpoint, status=status)
    settled = "select from deliveries where endpoint_id = %s and status <> 'pending'"
    work(lambda: db.execute(settled, (endpoint["id"],)).rowcount == 1)
    assert deliveries(admin, endpoint)[0]["status"] == outcome


def test_what_the_release_before_has_written_is_told_by_today_s_names(
    admin: Person, new_receiver: NewReceiver, new_endpoint: NewEndpoint, db: Database
) -> None:
    """In the feed, in messages, and to who repeats a request."""
    receiver = new_receiver()
    body, key = {"url": receiver.url}, {"Idempotency-Key": secrets.token_hex(8)}
    first = admin.post("/webhook-endpoints", json=body, headers=key).json()
    endpoint = new_endpoint(receiver, event_types=["webhook.updated"], include_internal=True)
    start = admin.get("/events", params={"start": "end"}).json()["next"]
    change(admin, endpoint, description="x", status="paused")
    change(admin, endpoint, status="active")
    for field in ("data", "previous"):
        db.execute(f"update events set {field} = {field} - 'status' where {field} ? 'state'")
    of_a_key = "update events set data = data - 'status' || jsonb_build_object('state', data -> 'status') where id in"
    db.execute(f"{of_a_key} (select event_id from idempotency_keys) and type = 'webhook.created'")
    assert admin.post("/webhook-endpoints", json=body, headers=key).json() == first
    settled(db)
    page = admin.get("/events", params={"cursor": start, "limit": 100}).json()["items"]
    paused, active = (event for event in page if event["type"] == "webhook.updated")
    assert (paused["data"]["status"], paused["previous"]) == ("paused", {"status": "active", "description": ""})
    assert (active["data"]["status"], active["previous"]) == ("active", {"status": "paused"})
    assert "state" not in paused["data"] | active["data"]
    work(lambda: len(receiver.messages) == 2)
    told = sorted((message.json for message in receiver.messages), key=lambda each: each["sequence"])
    assert [(each["data"], each["previous"]) for each in told] == [
        (each["data"], each["previous"]) for each in (paused, active)
    ]


def test_ping_webhook_endpoint(
    admin: Person, new_receiver: NewReceiver, new_endpoint: NewEndpoint, new_events: Events, db: Database
) -> None:
    """Whatever it wants to be told of, and nobody else."""
    receiver, other = new_receiver(), new_receiver()
    endpoint = new_endpoint(receiver, event_types=["ticket.created"], projects=[])
    new_endpoint(other)
    path, key = f"/webhook-endpoints/{endpoint['id']}/pings", {"Idempotency-Key": secrets.token_hex(8)}
    new_events()
    response = admin.post(path, headers=key)
    assert response.status_code == 202
    (event,) = new_events()
    assert (event["type"], str(event["id"])) == ("webhook.pinged", response.json()["id"])
    assert admin.post(path, headers=key).json() == response.json()
    assert new_events() == []
    work(lambda: len(receiver.messages) == 1)
    (message,) = receiver.messages
    assert (message.id, message.json["type"]) == (response.json()["id"], "webhook.pinged")
    assert message.json["data"] == {name: value for name, value in endpoint.items() if name != "secret"}
    assert [d["status"] for d in admin.pages("/webhook-deliveries", event_id=message.id)] == ["delivered"]
    assert other.messages == []

    change(admin, endpoint, status="paused")
    assert admin.post(path).status_code == 202
    read_the_log()
    assert deliveries(admin, endpoint)[-1]["next_attempt_at"] is None
    change(admin, endpoint, status="active")
    work(lambda: len(receiver.messages) == 2)


def test_redeliver_one(
    admin: Person,
    new_ticket: New,
    new_receiver: NewReceiver,
    new_endpoint: NewEndpoint,
    new_events: Events,
    db: Database,
) -> None:
    receiver, stranger = new_receiver(), new_receiver()
    endpoint, other = new_endpoint(receiver), new_endpoint(stranger)
    receive_one(db, new_ticket, receiver, endpoint)
    (delivery,) = deliveries(admin, endpoint)
    path, key = f"/webhook-endpoints/{endpoint['id']}/redeliveries", {"Idempotency-Key": secrets.token_hex(8)}
    new_events()
    response = admin.post(path, json={"delivery_id": delivery["id"]}, headers=key)
    assert response.status_code == 202
    (event,) = new_events()
    assert (event["type"], event["data"]) == ("webhook.redelivered", response.json())
    replayed = admin.post(path, json={"delivery_id": delivery["id"]}, headers=key)
    assert (replayed.json(), replayed.headers["idempotent-replayed"]) == (response.json(), "true")
    assert new_events() == []
    work(lambda: tried(db, endpoint) == 2)
    assert receiver.ids == [delivery["event_id"]] * 2
    (delivery,) = deliveries(admin, endpoint)
    assert (delivery["status"], delivery["attempt_count"]) == ("delivered", 2)

    elsewhere = admin.post(f"/webhook-endpoints/{other['id']}/redeliveries", json={"delivery_id": delivery["id"]})
    assert (elsewhere.status_code, elsewhere.json()["errors"][0]["pointer"]) == (422, "#/delivery_id")


def test_redeliver_all_failed(
    admin: Person, new_ticket: New, new_receiver: NewReceiver, new_endpoint: NewEndpoint, db: Database
) -> None:
    receiver = new_receiver()
    endpoint = new_endpoint(receiver)
    numbers = [new_ticket()["number"] for _ in range(4)]
    work(lambda: tried(db, endpoint) == 4)
    for number, hours in zip(numbers, (30, 20, 10), strict=False):
        db.execute(
            "update deliveries d set status = 'failed', settled_at = now() - %s"
            "  from events e where d.endpoint_id = %s and e.id = d.event_id and e.ticket = %s",
            (timedelta(hours=hours), endpoint["id"], number),
        )
    receiver.messages.clear()
    since = (datetime.now(UTC) - timedelta(hours=24)).isoformat()
    path = f"/webhook-endpoints/{endpoint['id']}/redeliveries"
    assert admin.post(path, json={"failed_since": since}).status_code == 202
    work(lambda: tried(db, endpoint) == 6)
    assert sorted(message.json["ticket_number"] for message in receiver.messages) == numbers[1:3]
    assert [d["status"] for d in deliveries(admin, endpoint)] == ["failed", "delivered", "delivered", "delivered"]


@pytest.mark.slow
def test_replay(
    admin: Person,
    requester: Person,
    new_ticket: New,
    new_receiver: NewReceiver,
    new_endpoint: NewEndpoint,
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What happened before the endpoint was there, too; batch by batch, in order, and nothing that it must not see."""
    monkeypatch.setattr("ticketing.reactions.webhooks.redelivering.BATCH", 2)
    monkeypatch.setattr("ticketing.reactions.webhooks.redelivering.LOOKS", 2)
    tickets = [new_ticket() for _ in range(5)]
    for _ in range(6):
        comment(admin, tickets[2]["number"], "internal", visibility="internal")
    (first,) = admin.pages(f"/tickets/{tickets[0]['number']}/events")
    receiver = new_receiver()
    endpoint = new_endpoint(receiver, projects=[tickets[0]["project"]])
    tickets.append(receive_one(db, new_ticket, receiver, endpoint))
    receiver.messages.clear()
    path = f"/webhook-endpoints/{endpoint['id']}/redeliveries"
    assert admin.post(path, json={"events_after": first["id"]}).status_code == 202
    work(lambda: tried(db, endpoint) == 6)
    assert sorted(m.json["ticket_number"] for m in receiver.messages) == [ticket["number"] for ticket in tickets[1:]]
    receiver.messages.clear()
    assert admin.post(path, json={"events_since": tickets[0]["created_at"]}).status_code == 202
    work(lambda: tried(db, endpoint) == 12)
    assert sorted(m.json["ticket_number"] for m in receiver.messages) == [ticket["number"] for ticket in tickets]
    assert receiver.types == ["ticket.created"] * 6


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"failed_since": "2026-11-24T12:00:00Z", "events_since": "2026-11-24T12:00:00Z"},
        {"failed_since": "yesterday"},
        {"events_after": "1"},
        {"delivery_id": None},
        {"all": True},
    ],
)
def test_a_redelivery_of_nothing(admin: Person, body: dict[str, Any]) -> None:
    endpoint = admin.post("/webhook-endpoints", json={"url": "https://hooks.lumen.example/"}).json()
    assert admin.post(f"/webhook-endpoints/{endpoint['id']}/redeliveries", json=body).status_code == 422


def test_a_redelivery_of_what_is_not_there(admin: Person, new_ticket: New, db: Database) -> None:
    endpoint = admin.post("/webhook-endpoints", json={"url": "https://hooks.lumen.example/"}).json()
    path = f"/webhook-endpoints/{endpoint['id']}/redeliveries"
    number = new_ticket()["number"]
    event = db.execute("select id from events where ticket = %s", (number,)).fetchone()
    assert event
    future = (datetime.now(UTC) + timedelta(minutes=2)).isoformat()
    for name, value in (
        ("events_after", str(uuid4())),
        ("events_after", "ffffffff-ffff-7fff-bfff-ffffffffffff"),
        ("events_since", future),
        ("failed_since", "9999-12-31T23:59:59Z"),
        ("delivery_id", str(uuid4())),
    ):
        response = admin.post(path, json={name: value})
        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, f"#/{name}")
    assert admin.post(path, json={"events_after": str(event["id"])}).status_code == 202
    key = {"Idempotency-Key": secrets.token_hex(8)}
    assert admin.post(path, json={"events_after": str(uuid4())}, headers=key).status_code == 422
    assert admin.post(path, json={"events_after": str(event["id"])}, headers=key).status_code == 202, "the key is free"


# Who is told of what ------------------------------------------------------------------------------------------------


def test_filters(
    admin: Person, agent: Person, new_ticket: New, new_receiver: NewReceiver, new_endpoint: NewEndpoint, project: str
) -> None:
    names = ("all", "types", "projects", "internal", "named", "public", "another project")
    receivers = {name: new_receiver() for name in names}
    new_endpoint(receivers["all"])
    new_endpoint(receivers["types"], event_types=["comment.created"])
    new_endpoint(receivers["projects"], projects=[project])
    new_endpoint(receivers["internal"], include_internal=True)
    named = ["webhook.created", "token.created", "user.created"]
    new_endpoint(receivers["named"], event_types=named, include_internal=True)
    new_endpoint(receivers["public"], event_types=[*named, "comment.created", "job.retried"])
    key = f"p-{secrets.token_hex(5)}"
    admin.post("/projects", json={"key": key, "name": "Another"})
    new_endpoint(receivers["another project"], projects=[key])
    number = new_ticket()["number"]
    comment(agent, number, "canary", visibility="internal")
    comment(agent, number, "said aloud")
    admin.post("/users", json={"name": "Ada", "email": f"{secrets.token_hex(5)}@lumen.example"})
    admin.post("/tokens", json={"name": "ci", "scopes": ["tickets:read"]})
    end = new_receiver()
    new_endpoint(end)
    new_ticket(project=project)
    work(lambda: len(end.messages) == 1)
    expected = {
        "all": ["ticket.created", "comment.created", "ticket.created"],
        "types": ["comment.created"],
        "projects": ["ticket.created", "comment.created", "ticket.created"],
        "internal": [
            *("project.created", "ticket.created", "comment.created", "comment.created", "user.created"),
            "ticket.created",
        ],
        "named": [*["webhook.created"] * 3, "user.created", "token.created", "webhook.created"],
        "public": ["comment.created"],
        "another project": [],
    }
    work(
        lambda: (
            {name: len(receiver.messages) for name, receiver in receivers.items()}
            == {name: len(types) for name, types in expected.items()}
        )
    )
    assert {name: sorted(receiver.types) for name, receiver in receivers.items()} == {
        name: sorted(types) for name, types in expected.items()
    }
    for name, receiver in receivers.items():
        said = any(b"canary" in message.body for message in receiver.messages)
        assert said == (name == "internal")


def test_every_type_of_event(
    admin: Person,
    agent: Person,
    requester: Person,
    new_receiver: NewReceiver,
    new_endpoint: NewEndpoint,
    anonymous: Judged,
    browse: Callable[[Person], Browser],
    db: Database,
    database_url: str,
) -> None:
    """Each is sent as `webhooks:` of the contract says; the receiver looks."""
    types = judge().message_types
    receiver, other = new_receiver(), new_receiver()
    endpoint = new_endpoint(receiver, event_types=types, include_internal=True)
    merge = {"Content-Type": "application/merge-patch+json"}
    key = f"p-{secrets.token_hex(5)}"
    user = admin.post("/users", json={"name": "Ada", "email": f"{key}@lumen.example"}).json()
    admin.patch(f"/users/{user['id']}", json={"name": "Ada L."}, headers=merge)
    admin.post("/projects", json={"key": key, "name": "Media"})
    admin.patch(f"/projects/{key}", json={"name": "Media 2", "visibility": "public"}, headers=merge)
    admin.post(f"/projects/{key}/categories", json={"key": "music", "name": "Music"})
    admin.patch(f"/projects/{key}/categories/music", json={"name": "Sound"}, headers=merge)
    body = {"type": "bug", "project": key, "title": "Playback stops", "description": ""}
    number = requester.post("/tickets", json=body).json()["number"]
    patch(agent, number, priority="high")
    said = comment(agent, number, "first").json()
    edit(agent, f"/tickets/{number}/comments/{said['id']}", "second")
    patch(agent, number, status="resolved", resolution="fixed")
    patch(agent, number, status="open")
    patch(agent, number, status="closed", resolution="fixed")
    token = admin.post("/tokens", json={"name": "ci", "scopes": ["tickets:read"]}).json()
    admin.delete(f"/tokens/{token['id']}")
    browse(agent).delete("/session")
    view = agent.post("/views", json={"name": "Mine", "q": "assignee:me"}).json()["id"]
    agent.patch(f"/views/{view}", json={"name": "Ours", "visibility": "shared"}, headers=merge)
    agent.delete(f"/views/{view}")
    for accepted in (False, True):
        guest = {"name": "Lena", "email": invitations.address()}
        invitation = admin.post("/invitations", json=guest).json()["id"]
        admin.post(f"/invitations/{invitation}/mails")
        if accepted:
            invitations.accept(anonymous, invitations.secret(db, guest["email"]))
        else:
            admin.delete(f"/invitations/{invitation}")
    victim = new_endpoint(other, event_types=["webhook.disabled"], include_internal=True)
    change(admin, victim, description="It will fail.")
    admin.post(f"/webhook-endpoints/{victim['id']}/secrets")
    admin.post(f"/webhook-endpoints/{victim['id']}/redeliveries", json={"failed_since": "2026-11-24T12:00:00Z"})
    other.behaviour = receiving.answering(500)
    for hours in (73, 121):
        failing = "update webhook_endpoints set failing_since = now() - %s where id = %s"
        before = tried(db, victim)
        admin.post(f"/webhook-endpoints/{victim['id']}/pings")
        db.execute(failing, (timedelta(hours=hours), victim["id"]))
        work(lambda wanted=before + 1: tried(db, victim) == wanted)  # type: ignore[misc]
    other.secrets.clear()
    other.faults.clear()
    admin.delete(f"/webhook-endpoints/{victim['id']}")
    critical = requester.post("/tickets", json=body | {"severity": "critical"}).json()["number"]
    db.execute("update tickets set created_at = now() - interval '5 hours' where number = %s", (critical,))
    do(escalate_tickets)
    job = db.execute("select enqueue_job('test.nothing', '{}', run_at => now() + interval '1 day') as id").fetchone()
    assert job
    for step in ("cancellations", "retries"):
        assert admin.post(f"/ops/v1/jobs/{job['id']}/{step}").is_success
    for paused in (True, False):
        assert admin.request("PATCH", "/ops/v1/queues/webhooks", json={"paused": paused}).is_success
    db.execute("delete from jobs where id = %s", (job["id"],))
    made = db.execute(
        "with run as (insert into import_runs (source, project, file) values (%(key)s, %(key)s, 'it') returning number)"
        " insert into imported_issues (source, id, ticket, author, created_at, run, seen, written, updated_at)"
        " select %(key)s, '1', t.number, 'octocat', t.created_at, r.number, '{}', '{}', t.updated_at"
        " from tickets t, run r where t.number = %(ticket)s returning run",
        {"key": key, "ticket": requester.post("/tickets", json=body).json()["number"]},
    ).fetchone()
    assert made
    import_app(["revert", str(made["run"]), "--database-url", database_url], result_action="return_value")
    work(lambda: {"webhook.disabled", "webhook.deleted"} <= set(receiver.types))
    # The text of a comment that is taken back is not told of any more, so this comes last.
    admin.delete(f"/tickets/{number}/comments/{said['id']}")
    work(lambda: set(types) <= set(receiver.types))
    sequences = [message.json["sequence"] for message in receiver.messages if message.json["ticket_number"] == number]
    assert len(sequences) == len(set(sequences)) == 8
    assert {d["status"] for d in deliveries(admin, endpoint)} == {"delivered"}


def test_a_comment_that_was_taken_back(
    admin: Person, agent: Person, new_ticket: New, new_receiver: NewReceiver, new_endpoint: NewEndpoint, db: Database
) -> None:
    """Its text leaves the log of deliveries, and what was still to be sent."""
    receiver = new_receiver()
    endpoint = new_endpoint(receiver, event_types=["comment.created", "comment.deleted"])
    number, canary = new_ticket()["number"], secrets.token_hex(8)
    told = comment(agent, number, f"{canary} 1").json()
    work(lambda: tried(db, endpoint) == 1)
    change(admin, endpoint, status="paused")
    untold = comment(agent, number, f"{canary} 2").json()
    read_the_log()
    kept = "select from webhook_messages where body like %s"
    assert db.execute(kept, (f"%{canary}%",)).rowcount == 2
    for said in (told, untold):
        agent.delete(f"/tickets/{number}/comments/{said['id']}")
    work(lambda: db.execute(kept, (f"%{canary}%",)).rowcount == 0)
    change(admin, endpoint, status="active")
    work(lambda: tried(db, endpoint) == 4)
    assert [canary.encode() in message.body for message in receiver.messages] == [True, False, False, False]


def test_an_import_is_not_told_of(
    admin: Person, new_ticket: New, new_receiver: NewReceiver, new_endpoint: NewEndpoint, db: Database
) -> None:
    """Nor is anything else that happened before the endpoint was there."""
    receiver = new_receiver()
    new_endpoint(receiver)
    number = new_ticket()["number"]
    db.execute(
        "insert into events (id, type, ticket, project, occurred_at, data)"
        " select gen_random_uuid(), type, ticket, project, now() - interval '1 year', data"
        "   from events where ticket = %s",
        (number,),
    )
    new_ticket()
    work(lambda: len(receiver.messages) == 2)
    read_the_log()
    assert [message.json["ticket_number"] for message in receiver.messages].count(number) == 1


@pytest.mark.parametrize("format", ["slack", "discord"])
def test_a_chat_is_told_one_thing_after_the_other(
    admin: Person, new_ticket: New, new_receiver: NewReceiver, new_endpoint: NewEndpoint, db: Database, format: str
) -> None:
    """Also what a pause has held back; while others are told two things at once."""
    receiver = new_receiver(format)

    def now_slow_now_quick(exchange: receiving.Exchange) -> None:
        receiving.slow(0.02 * (len(receiver.messages) % 2))(exchange)

    receiver.behaviour = now_slow_now_quick
    endpoint = new_endpoint(receiver, event_types=["ticket.created"])
    change(admin, endpoint, status="paused")
    numbers = [new_ticket()["number"] for _ in range(6)]
    read_the_log()
    change(admin, endpoint, status="active")
    work(lambda: len(receiver.messages) == 6)
    numbers += [new_ticket()["number"] for _ in range(6)]
    work(lambda: len(receiver.messages) == 12)
    text = "text" if format == "slack" else "content"
    assert [
        int(message.json[text].split("/support/tickets/")[1].split("|")[0].split(")")[0])
        for message in receiver.messages
    ] == numbers
    assert receiver.most_at_once == 1


@pytest.mark.parametrize("format", ["slack", "discord"])
def test_chat(
    agent: Person, new_ticket: New, new_receiver: NewReceiver, new_endpoint: NewEndpoint, db: Database, format: str
) -> None:
    receiver = new_receiver(format)
    endpoint = new_endpoint(receiver)
    number = new_ticket(title="<!channel> *@everyone*")["number"]
    work(lambda: tried(db, endpoint) == 1)
    (message,) = receiver.messages
    text = message.json["text" if format == "slack" else "content"]
    assert f"#{number}" in text
    assert f"http://127.0.0.1:8080/support/tickets/{number}" in text
    assert "<!channel>" not in text
    if format == "discord":
        assert message.json["allowed_mentions"] == {"parse": []}


# However much there is to tell ---------------------------------------------------------------------------------------


def repeated(db: Database, ticket: int, times: int) -> None:
    """Record the last event of a ticket so many times more."""
    db.execute(
        "insert into events (id, type, ticket, project, actor_id, data, previous)"
        " select gen_random_uuid(), e.type, e.ticket, e.project, e.actor_id, e.data, e.previous"
        "   from (select * from events where ticket = %s order by position desc limit 1) e, generate_series(1, %s)",
        (ticket, times),
    )


@pytest.mark.slow
def test_long_edits_by_one_requester_stop_nobody(
    requester: Person, new_ticket: New, new_receiver: NewReceiver, new_endpoint: NewEndpoint, db: Database
) -> None:
    """100 events of half a megabyte, six endpoints: each is told of everything, and what comes after as well."""
    receivers = [new_receiver() for _ in range(4)] + [new_receiver("slack"), new_receiver("discord")]
    number = new_ticket(description="\U0001f39e" * 65_000)["number"]
    for receiver in receivers:
        new_endpoint(receiver, event_types=["ticket.updated", "ticket.created"])
    edited = patch(requester, number, description="\U0001f4fd" * 65_000)
    assert edited.status_code == 200
    repeated(db, number, 99)
    after = new_ticket()["number"]
    read_the_log()
    of = "select from deliveries d join events e on e.id = d.event_id where e.ticket = any(%s)"
    assert db.execute(of, ([number, after],)).rowcount == 101 * len(receivers)
    written = "select m.event_id, sum(octet_length(body)) from webhook_messages m join events e on e.id = m.event_id"
    rows = db.execute(f"{written} where e.ticket = %s group by 1", (number,)).fetchall()
    assert len(rows) == 100
    assert all(row["sum"] < 550_000 for row in rows), "once for all endpoints of a format"
    # Not all of it is worth sending here; what comes last is.
    db.execute(
        "delete from deliveries where event_id in (select id from events where ticket = %s and id <> %s)",
        (number, rows[0]["event_id"]),
    )
    work(lambda: all(len(receiver.messages) == 2 for receiver in receivers))
    standard = next(m for m in receivers[0].messages if m.json["ticket_number"] == number)
    assert standard.json["data"] == edited.json()
    assert standard.json["previous"]["description"] == "\U0001f39e" * 65_000


def test_a_page_of_the_log_ends_with_its_bytes(new_ticket: New, db: Database) -> None:
    number = new_ticket(description="x" * 60_000)["number"]
    repeated(db, number, 9)
    place = db.execute(
        "select transaction_id::text as id, position from events where ticket = %s order by position limit 1", (number,)
    )
    after = place.fetchone()
    assert after

    def page(events: int, size: int | None) -> tuple[int, bool]:
        row = db.execute(
            "select position - %(position)s as count, more"
            "  from log_page(%(id)s::text::xid8, %(position)s, %(events)s, %(size)s)",
            {**after, "events": events, "size": size},
        ).fetchone()
        return (int(row["count"]), bool(row["more"])) if row else (0, False)

    settled(db)
    assert page(100, 400_000) == (3, True)
    assert page(2, 400_000) == (2, True)
    assert page(100, 10) == (1, True), "one at least"
    assert page(100, None) == (9, False)
    assert page(9, None) == (9, False)


@pytest.mark.parametrize(
    ("data", "untold", "reason"),
    [
        ("""'[1, 2]'""", {"slack"}, "cannot be written as a message"),
        ("""'"a text"'""", {"slack"}, "cannot be written as a message"),
        ("""(repeat('[', 3000) || repeat(']', 3000))::jsonb""", {"slack", "standard"}, "cannot be read"),
        ("""jsonb_build_object('title', repeat('x', 9000000))""", {"slack", "standard"}, "more than 8,388,608 bytes"),
    ],
    ids=["list", "text", "deep", "long"],
)
def test_an_event_that_cannot_be_told(
    admin: Person,
    new_ticket: New,
    new_receiver: NewReceiver,
    new_endpoint: NewEndpoint,
    db: Database,
    data: str,
    untold: set[str],
    reason: str,
) -> None:
    """It stops nothing: what comes after is told, and of the event itself admins see what became of it."""
    before = delivering.UNTELLABLE._value.get()
    endpoints = {format: new_endpoint(new_receiver(format), include_internal=True) for format in ("standard", "slack")}
    receivers = {"standard": new_receiver(), "slack": new_receiver("slack")}
    for format, receiver in receivers.items():
        assert change(admin, endpoints[format], url=receiver.url).status_code == 200
        receiver.secrets.append(endpoints[format]["secret"])
    event = db.execute(
        f"insert into events (id, type, data) values (gen_random_uuid(), 'user.updated', {data}) returning id"
    ).fetchone()
    assert event
    number = new_ticket()["number"]
    after = "select from deliveries d join events e on e.id = d.event_id where e.ticket = %s and status = 'delivered'"
    settled_ = "select from deliveries where event_id = %s and status <> 'pending'"
    work(lambda: db.execute(after, (number,)).rowcount == 2 and db.execute(settled_, (event["id"],)).rowcount == 2)
    for format, endpoint in endpoints.items():
        (delivery,) = deliveries(admin, endpoint, event_id=event["id"])
        detail = admin.get(f"/webhook-deliveries/{delivery['id']}").json()
        assert (delivery["status"], detail["body"] == "") == (
            ("failed", True) if format in untold else ("delivered", False)
        )
        (attempt,) = detail["attempts"]
        assert (reason in (attempt["error"] or "")) == (format in untold)
        assert admin.get(f"/webhook-endpoints/{endpoint['id']}").json()["failing_since"] is None
    assert delivering.UNTELLABLE._value.get() - before == len(untold)
    receivers["standard"].faults.clear()  # It is not the contract's event.
    (failed,) = deliveries(admin, endpoints["slack"], event_id=event["id"])
    path = f"/webhook-endpoints/{endpoints['slack']['id']}/redeliveries"
    assert admin.post(path, json={"delivery_id": failed["id"]}).status_code == 202
    work(lambda: db.execute("select from delivery_attempts where delivery_id = %s", (failed["id"],)).rowcount == 2)
    assert deliveries(admin, endpoints["slack"], event_id=event["id"])[0]["status"] == "failed"


def test_messages_that_cannot_be_written_now_are_written_when_they_are_sent(
    new_ticket: New, new_receiver: NewReceiver, new_endpoint: NewEndpoint, db: Database
) -> None:
    receiver = new_receiver()
    endpoint = new_endpoint(receiver)
    ticket = new_ticket()
    db.execute("alter table webhook_messages add constraint none check (false) not valid")
    try:
        read_the_log()
    finally:
        db.execute("alter table webhook_messages drop constraint none")
    assert db.execute("select from deliveries where endpoint_id = %s", (endpoint["id"],)).rowcount == 1
    work(lambda: tried(db, endpoint) == 1)
    assert [message.json["data"] for message in receiver.messages] == [ticket]


# Exactly once, and one for all --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_workers_race_and_die(
    admin: Person, new_ticket: New, new_receiver: NewReceiver, new_endpoint: NewEndpoint, db: Database
) -> None:
    """Three read the log, two of them are killed at it: each event becomes one delivery, with one job."""
    receiver = new_receiver()
    endpoint = new_endpoint(receiver)
    with working.spawned(3) as workers:
        for place in range(60):
            new_ticket()
            if place in (20, 40):
                workers[place // 20 - 1].send_signal(signal.SIGKILL)
        await_(lambda: len(set(receiver.ids)) == 60)
        await_(lambda: {d["status"] for d in deliveries(admin, endpoint)} == {"delivered"}, 30)
    assert len(deliveries(admin, endpoint)) == 60


@pytest.mark.slow
def test_a_worker_that_dies_before_it_notes_what_it_sent_sends_it_again(
    admin: Person, new_ticket: New, new_receiver: NewReceiver, new_endpoint: NewEndpoint, db: Database
) -> None:
    """Under the same id, by which the receiver knows it."""
    receiver = new_receiver()
    endpoint = new_endpoint(receiver)

    with working.spawned() as (worker,):
        receiver.behaviour = lambda _: worker.kill()
        new_ticket()
        assert worker.wait(20) == -signal.SIGKILL
    assert [delivery["status"] for delivery in deliveries(admin, endpoint)] == ["pending"]
    receiver.behaviour = receiving.answering()
    db.execute("update jobs set lease_until = now() - interval '1 second' where state = 'running'")
    assert asyncio.run(working.rescue()) == [1]
    work(lambda: tried(db, endpoint) == 1)
    assert [delivery["status"] for delivery in deliveries(admin, endpoint)] == ["delivered"]
    first, second = receiver.messages
    assert (first.id, first.body) == (second.id, second.body)


@pytest.mark.slow
def test_one_dead_receiver_of_twenty(new_ticket: New, new_receiver: NewReceiver, new_endpoint: NewEndpoint) -> None:
    """The others do not wait for it, although it has as many messages as the worker has threads."""
    dead, alive = new_receiver(), [new_receiver() for _ in range(19)]
    dead.behaviour = receiving.slow(8)
    new_endpoint(dead)
    with embedded.valkey() as redis_url:
        command = [sys.executable, "-m", "ticketing", "work", "--threads", "5"]
        with subprocess.Popen(command, env=os.environ | {"TICKETING_REDIS_URL": redis_url}) as worker:
            try:
                for _ in range(5):
                    new_ticket()
                await_(lambda: len(dead.messages) >= delivering.AT_ONCE)
                for receiver in alive:
                    new_endpoint(receiver)
                started = time.monotonic()
                new_ticket()
                await_(lambda: all(receiver.messages for receiver in alive))
            finally:
                worker.terminate()
    assert max(message.at - started for receiver in alive for message in receiver.messages) < 6
    assert dead.most_at_once <= delivering.AT_ONCE


# Upkeep -------------------------------------------------------------------------------------------------------------


def test_upkeep(
    admin: Person,
    new_ticket: New,
    new_receiver: NewReceiver,
    new_endpoint: NewEndpoint,
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Old deliveries go, deliveries of nobody as well, and those without a job get another, however many."""
    monkeypatch.setattr("ticketing.reactions.webhooks.upkeep.BATCH", 1)
    receiver, leaving = new_receiver(), new_receiver()
    endpoint, left = new_endpoint(receiver), new_endpoint(leaving)
    for _ in range(4):
        new_ticket()
    work(lambda: tried(db, endpoint) == tried(db, left) == 4)
    old, recent, *strays = deliveries(admin, endpoint)
    db.execute("update deliveries set settled_at = now() - interval '31 days' where id = %s", (old["id"],))
    db.execute(
        "update deliveries set status = 'pending', settled_at = null, next_attempt_at = now() - interval '1 hour'"
        " where id = any(%s)",
        ([each["id"] for each in strays],),
    )
    admin.delete(f"/webhook-endpoints/{left['id']}")
    upkeep(db)
    work(lambda: len(receiver.messages) == 6)
    kept = db.execute(
        "select id from deliveries where endpoint_id = any(%s) order by id", ([endpoint["id"], left["id"]],)
    ).fetchall()
    assert [str(row["id"]) for row in kept] == [each["id"] for each in (recent, *strays)]
    told = "select event_id from webhook_messages where event_id = any(%s) order by 1"
    events = [each["event_id"] for each in (old, recent, *strays)]
    assert [str(row["event_id"]) for row in db.execute(told, (events,)).fetchall()] == events[1:]
