"""A list that takes the database too long because of how it was asked for is the client's to narrow: 422, not 503."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from test_authorization import DOCUMENT

from conftest import Person, served, signed_up
from ticketing import app
from ticketing.api.shaped import SHOWING
from ticketing.ground.config import settings

LISTS = {
    "/tickets": ("tickets", {"tag": "slow"}),
    "/users": ("users", {"role": "agent"}),
    "/ops/v1/jobs": ("jobs", {"status": "discarded"}),
    "/webhook-endpoints": ("webhook_endpoints", {"status": "paused"}),
    "/webhook-deliveries": ("deliveries", {"status": "failed"}),
    "/events": ("events", {"type": "ticket.created"}),
    "/event-log": ("events", {"type": "ticket.created"}),
    "/invitations": ("invitations", {"status": "pending"}),
    "/ops/v1/mails": ("mails", {"status": "sent"}),
}


@pytest.fixture(scope="module")
def hurried(service: str, database_url: str, db: psycopg.Connection[Any]) -> Iterator[Person]:
    """An admin's client of a service whose statements are given up after a tenth of a second."""
    url = make_conninfo(database_url, options="-c statement_timeout=100ms")
    hurried = app.create(replace(settings(), database_url=url))
    with served(hurried) as address, Person(address, *signed_up(db, "admin")) as person:
        yield person


def filters(operation: dict[str, Any]) -> set[str]:
    """What a client can narrow the list by: a sort alone leaves all of it there."""
    parameters = [_resolved(each) for each in operation.get("parameters", ())]
    return {each["name"] for each in parameters if each["in"] == "query"} - SHOWING - {"sort"}


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    name = node.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = DOCUMENT["components"]["parameters"][name] if name else node
    return found


def test_every_list_with_filters_says_so() -> None:
    shaped = {path for path, item in DOCUMENT["paths"].items() if "get" in item and filters(item["get"])}
    declared = {path for path, item in DOCUMENT["paths"].items() if "422" in item.get("get", {}).get("responses", {})}
    # A stream has begun by then, and each view has its own answer.
    assert declared == shaped - {"/events/stream", "/view-counts"} == LISTS.keys()


@pytest.mark.parametrize("path", LISTS)
def test_with_filters_it_is_the_clients_to_narrow(path: str, hurried: Person, db: psycopg.Connection[Any]) -> None:
    table, asked = LISTS[path]
    with db.transaction():
        # What reads the table waits for us, and so is not done in time.
        db.execute(f"lock table {table} in access exclusive mode")
        plain, slow = hurried.get(path), hurried.get(path, params=asked)
    if path != "/users":  # Where the look-up of the token waits, too.
        assert (slow.status_code, slow.json()["code"]) == (422, "query_too_expensive")
        assert next(iter(asked)) in slow.json()["detail"]
        assert "retry-after" not in slow.headers
    assert (plain.status_code, plain.headers["retry-after"]) == (503, "2")
    assert hurried.get(path, params=asked).status_code == 200


def test_one_thing_is_not(hurried: Person, db: psycopg.Connection[Any]) -> None:
    with db.transaction():
        db.execute("lock table tickets in access exclusive mode")
        assert hurried.get("/tickets/1").status_code == 503
        assert hurried.get("/tickets/1/events").status_code == 503
