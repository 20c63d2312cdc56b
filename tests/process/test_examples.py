"""The examples of the contract: each can be sent to the demo as it is, and nothing is prefilled that does not fit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

import collection
import judged
from conftest import Person, configured, spawned
from ticketing import contract, sealing
from ticketing.commands import demo
from ticketing.contract import document
from ticketing.db import pool
from ticketing.ground import paths

STEPS = collection.everything()
ADA = UUID("019cad94-3fe0-72dc-899c-8e59c150e3ec")
CONTRACT = contract.load(paths.DOCUMENTS[paths.API])
#: A worker writes these, and here is none.
UNTIL_IT_RUNS = ("list_schedules", "list_queues")


async def load(url: str) -> str:
    async with pool.connected(url, 1), pool.connection() as conn:
        await demo.load(conn)
        return (await demo.sign_in(conn, {}))["admin"]


@pytest.fixture(scope="module")
def ada(new_database: Callable[..., str]) -> Iterator[Person]:
    """The demo's admin, at a service of their own."""
    url, key = new_database(), sealing.new_key()
    with configured(database_url=url, secret_keys=key):
        token = asyncio.run(load(url))
    with (
        spawned(url, TICKETING_SECRET_KEYS=key, TICKETING_DEMO_USERS=str(ADA)) as base,
        Person(base, ADA, "Ada Okonkwo", "admin", token) as person,
    ):
        yield person


def test_every_operation_has_an_example() -> None:
    operations = document.operations(judged.whole())
    assert {step.operation_id for step in STEPS} == {operation.spec["operationId"] for operation in operations}


def test_lists_of_examples_find_something(ada: Person) -> None:
    """An example of a filter names what is there, so that the list that it gives is not empty."""
    lists = [step for step in STEPS if step.operation_id.startswith("list_") and step.operation_id not in UNTIL_IT_RUNS]
    empty = {step.name for step in lists if ada.request("GET", f"{ada.base_url}{step.target}").json()["items"] == []}
    assert empty == {"list_events: with start"}


def test_all_examples_in_their_order_are_answered_as_documented(ada: Person) -> None:
    """In this order, each once, with one token: as somebody does who tries them in the reference."""
    faults = []
    for step in STEPS:
        headers = {"Content-Type": step.media_type} if step.media_type else {}
        given: dict[str, Any] = {"json": step.body} if step.media_type else {}
        if not step.takes_token:
            given["auth"] = lambda request: request.headers.pop("Authorization") and request
        response = ada.request(step.method, f"{ada.base_url}{step.target}", headers=headers, **given)
        if response.status_code != step.status:
            faults.append(f"{step.name}: {response.status_code}, not {step.status}: {response.text[:300]}")
    assert faults == []


def test_what_a_client_has_to_fill_itself_has_no_example() -> None:
    """A page that lets one try requests would prefill it: a key that was used, a tag that does not match."""
    own = {"cursor", "Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID"}
    parameters = CONTRACT["components"]["parameters"].values()
    assert {each["name"] for each in parameters if "example" in each or "examples" in each}.isdisjoint(own)
    assert own <= {each["name"] for each in parameters}


def test_pages_of_examples_end() -> None:
    """A client that walks the pages of a mock server comes to an end."""
    pages = {name: each["value"] for name, each in CONTRACT["components"]["examples"].items() if name.endswith("Page")}
    assert pages
    assert {name for name, page in pages.items() if page["next"] is not None} == set()
