"""Bodies that are long on their way: whoever sends them is judged again at the end, and what they hold has bounds."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from test_wire import answer, connected, posting, problem, ticket

from conftest import Person, await_
from ticketing.contract import arrivals
from ticketing.ground import config

Database = psycopg.Connection[dict[str, Any]]
Events = Callable[[], list[dict[str, Any]]]
MERGE = {"content-type": "application/merge-patch+json"}


@pytest.fixture
def held() -> Iterator[Callable[..., socket.socket]]:
    """Send a request all but the last byte of its body."""
    with ExitStack() as stack:

        def held(by: Person, method: str, path: str, **body: Any) -> socket.socket:
            client = stack.enter_context(connected(str(by.base_url)))
            encoded = json.dumps(body).encode()
            kind = "merge-patch+json" if method == "PATCH" else "json"
            head = (
                f"{method} /api/v1{path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {by.token}\r\n"
                f"Content-Type: application/{kind}\r\nContent-Length: {len(encoded)}\r\n\r\n"
            )
            client.sendall(head.encode() + encoded[:-1])
            return client

        yield held


def finished(client: socket.socket) -> tuple[int, str]:
    """Status and code of the answer, once the last byte is sent."""
    client.sendall(b"}")
    status, _, body = answer(client)
    return status, json.loads(body).get("code", "")


def revoke(admin: Person, person: Person, _db: Database) -> None:
    for token in admin.get(f"/users/{person.id}/tokens").json()["items"]:
        assert admin.delete(f"/users/{person.id}/tokens/{token['id']}").status_code == 204


def deactivate(admin: Person, person: Person, _db: Database) -> None:
    assert admin.patch(f"/users/{person.id}", json={"active": False}, headers=MERGE).status_code == 200


def expire(_admin: Person, person: Person, db: Database) -> None:
    db.execute("update tokens set expires_at = now() where user_id = %s", (person.id,))


@pytest.mark.slow
@pytest.mark.parametrize("end", [revoke, deactivate, expire])
def test_what_ends_while_a_body_comes_does_not_write(
    admin: Person,
    sign_in: Callable[..., Person],
    held: Callable[..., socket.socket],
    new_ticket: Callable[..., dict[str, Any]],
    project: str,
    db: Database,
    new_events: Events,
    end: Callable[[Person, Person, Database], None],
) -> None:
    person, other = sign_in("admin"), sign_in("requester")
    number = new_ticket()["number"]
    requests = [
        held(person, "POST", "/tickets", type="bug", project=project, title="late", description="late"),
        held(person, "POST", f"/tickets/{number}/comments", body="late", visibility="internal"),
        held(person, "PATCH", f"/tickets/{number}", title="late"),
        held(person, "POST", "/users", name="Late", email=f"{uuid4()}@lumen.example", role="admin"),
        held(person, "PATCH", f"/users/{other.id}", role="admin"),
        held(person, "POST", "/tokens", name="late", scopes=["tickets:read"]),
        held(person, "POST", f"/users/{other.id}/tokens", name="late", scopes=["tickets:read"]),
        held(person, "POST", "/webhook-endpoints", url="https://8.8.8.8/hook", event_types=["ticket.created"]),
        held(person, "PATCH", f"/projects/{project}", name="late"),
    ]
    time.sleep(0.2)  # By then each has been let in.
    end(admin, person, db)
    new_events()
    time.sleep(config.settings().token_cache_ms / 1000)
    assert [finished(client) for client in requests] == [(401, "unauthenticated")] * len(requests)
    assert new_events() == []


@pytest.mark.slow
def test_a_role_that_is_lost_while_a_body_comes_is_lost(
    admin: Person,
    sign_in: Callable[..., Person],
    held: Callable[..., socket.socket],
    new_ticket: Callable[..., dict[str, Any]],
    new_events: Events,
) -> None:
    person = sign_in("agent", scopes=("tickets:read", "tickets:write"))
    number = new_ticket()["number"]
    requests = [
        held(person, "POST", f"/tickets/{number}/comments", body="late", visibility="internal"),
        held(person, "PATCH", f"/tickets/{number}", priority="high"),
    ]
    time.sleep(0.2)
    assert admin.patch(f"/users/{person.id}", json={"role": "requester"}, headers=MERGE).status_code == 200
    new_events()
    time.sleep(config.settings().token_cache_ms / 1000)
    assert [finished(client)[0] for client in requests] == [404, 404], "as requesters are answered"
    assert new_events() == []


@pytest.mark.slow
def test_a_body_that_comes_late_is_taken(
    requester: Person, held: Callable[..., socket.socket], project: str, new_events: Events
) -> None:
    new_events()
    late = held(requester, "POST", "/tickets", type="bug", project=project, title="late", description="late")
    time.sleep(0.2 + config.settings().token_cache_ms / 1000)
    assert finished(late)[0] == 201
    assert [event["type"] for event in new_events()] == ["ticket.created"]


def pouring(by: Person, whence: str, size: int) -> socket.socket:
    """A request of which so many bytes are here, and one is not."""
    client = connected(str(by.base_url), whence)
    with suppress(ConnectionError):
        client.sendall(posting(by, b"Content-Length: %d" % (size + 1)) + b" " * size)
    return client


def test_what_is_held_of_bodies_on_their_way_is_bounded_and_the_fullest_pay(
    requester: Person,
    stranger: Person,
    agent: Person,
    project: str,
    new_events: Events,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arrivals, "MOST_ARRIVING_BYTES", 3_000_000)
    with ExitStack() as stack:
        modest = stack.enter_context(connected(str(stranger.base_url), "127.0.0.2"))
        fields = json.loads(ticket(project)) | {"description": "x" * 60_000}
        body = json.dumps(fields).encode() + b" " * 400_000
        modest.sendall(posting(stranger, b"Content-Length: %d" % len(body)) + body[:-1])
        beside = stack.enter_context(pouring(agent, "127.0.0.1", 300_000))
        greedy = [stack.enter_context(pouring(requester, "127.0.0.1", 1_000_000)) for _ in range(8)]
        new_events()
        assert stranger.post("/tickets", json=json.loads(ticket(project))).status_code == 201
        assert requester.post("/tickets", json=json.loads(ticket(project))).status_code == 201

        def told() -> list[socket.socket]:
            return select.select(greedy, [], [], 0)[0]

        await_(lambda: len(told()) >= 6)
        refused = told()
        assert len(refused) == 6, "three megabytes hold two of these beside the modest ones"
        for client in refused:
            said = problem(client)
            assert (said["code"], said["status"]) == ("unavailable", 503)
        modest.sendall(body[-1:])
        assert answer(modest)[0] == 201
        for client in [beside, *(each for each in greedy if each not in refused)]:
            client.sendall(b" ")
            assert answer(client)[0] == 400
        assert [event["type"] for event in new_events()] == ["ticket.created"] * 3


def test_what_was_held_of_bodies_is_given_back(
    requester: Person, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever became of them: complete, broken off, too large, not JSON."""
    monkeypatch.setattr(arrivals, "MOST_ARRIVING_BYTES", 1_500_000)
    for _ in range(3):
        with pouring(requester, "127.0.0.1", 1_000_000) as complete:
            complete.sendall(b" ")
            assert answer(complete)[0] == 400
        with connected(str(requester.base_url)) as large:
            large.sendall(posting(requester, b"Transfer-Encoding: chunked"))
            for _ in range(17):
                large.sendall(b"10000\r\n" + b" " * 65_536 + b"\r\n")
            assert answer(large)[0] == 413
        pouring(requester, "127.0.0.1", 1_000_000).close()
        time.sleep(0.1)
    with pouring(requester, "127.0.0.1", 1_000_000) as last:
        last.sendall(b" ")
        assert answer(last)[0] == 400
