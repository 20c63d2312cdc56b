"""The demo: a consistent past, in which every ticket's events tell how it became what it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
import yaml
from psycopg import Connection
from psycopg.rows import dict_row

from conftest import configured
from ticketing import sealing
from ticketing.access import bearer
from ticketing.commands import demo
from ticketing.db import pool
from ticketing.ground import paths


async def load(url: str) -> tuple[bool, dict[str, str]]:
    async with pool.connected(url, 1), pool.connection() as conn:
        return await demo.load(conn), await demo.sign_in(conn, {})


@pytest.fixture(scope="module")
def url(new_database: Callable[..., str]) -> str:
    return new_database()


@pytest.fixture(scope="module")
def tokens(url: str) -> dict[str, str]:
    with configured(database_url=url, secret_keys=sealing.new_key()):
        loaded, tokens = asyncio.run(load(url))
    assert loaded
    return tokens


@pytest.fixture
def conn(url: str, tokens: dict[str, str]) -> Any:
    with psycopg.connect(url, row_factory=dict_row) as conn:
        yield conn


def timelines(conn: Connection[Any]) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each ticket as a resource, and its events in order."""
    tickets = conn.execute(
        "select to_jsonb(r) as r from tickets t cross join lateral ticket_resource(t) r order by t.number"
    )
    return [
        (
            row["r"],
            conn.execute("select * from events where ticket = %s order by position", [row["r"]["number"]]).fetchall(),
        )
        for row in tickets.fetchall()
    ]


def test_there_is_something_of_everything(conn: Connection[Any]) -> None:
    for column in ("type", "status", "priority", "severity", "project"):
        row = conn.execute(f"select count(distinct {column}) as found from tickets").fetchone()
        assert row
        assert row["found"] >= 3, column
    (internal,) = conn.execute("select count(*) as found from comments where visibility = 'internal'").fetchall()
    assert internal["found"] > 0


def test_numbers_and_positions_grow_with_time(conn: Connection[Any]) -> None:
    for query in (
        "select created_at as moment from tickets order by number",
        "select occurred_at as moment from events where ticket is not null order by position",
    ):
        moments = [row["moment"] for row in conn.execute(query).fetchall()]
        assert moments == sorted(moments)
        assert moments[-1] <= datetime.now(UTC)


def test_a_timeline_leads_from_an_open_ticket_to_the_one_there_is(conn: Connection[Any]) -> None:
    for ticket, events in timelines(conn):
        first, *later = events
        assert (first["type"], first["previous"]) == ("ticket.created", {})
        assert first["data"]["status"] == "open"
        assert first["data"]["assignee"] is None
        told = first["data"]
        for event in later:
            if event["type"].startswith("ticket."):
                # What changed, and nothing else, is in `previous`.
                changed = {name for name, value in event["data"].items() if told[name] != value} - {"updated_at"}
                assert event["previous"] == {name: told[name] for name in changed}
                assert changed
                told = event["data"]
        assert {**told, "updated_at": None} == {**ticket, "updated_at": None}
        assert first["occurred_at"] == datetime.fromisoformat(ticket["created_at"])


def test_a_ticket_was_last_changed_by_its_last_public_event(conn: Connection[Any]) -> None:
    for ticket, events in timelines(conn):
        last = max(event["occurred_at"] for event in events if not event["internal"])
        assert datetime.fromisoformat(ticket["updated_at"]) == last, ticket["number"]


def test_it_is_loaded_once(url: str, tokens: dict[str, str]) -> None:
    assert asyncio.run(load(url))[0] is False


def test_tokens_hold_for_their_roles(conn: Connection[Any], tokens: dict[str, str]) -> None:
    for role, token in tokens.items():
        query = "select u.role from tokens t join users u on u.id = t.user_id where t.hash = %s"
        assert conn.execute(query, [bearer.hash_token(token)]).fetchone() == {"role": role}


def test_the_examples_of_the_contract_can_be_tried_on_the_demo() -> None:
    """/docs sends them as they are: what they name is there, and what they add is not."""
    there = yaml.safe_load(demo.FILE.read_bytes())
    projects = {each["key"]: {category["key"] for category in each["categories"]} for each in there["projects"]}
    contract = json.loads((paths.SPEC / "dist" / "openapi.json").read_bytes())

    def examples(path: str) -> list[dict[str, Any]]:
        body = contract["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        names = [each["$ref"].rpartition("/")[2] for each in body["examples"].values()]
        return [contract["components"]["examples"][name]["value"] for name in names]

    for ticket in examples("/tickets"):
        assert ticket["project"] in projects
        assert ticket.get("category") in projects[ticket["project"]] | {None}
    assert {each["key"] for each in examples("/projects")}.isdisjoint(projects)
    keys = {
        each["name"]: each["example"] for each in contract["components"]["parameters"].values() if "example" in each
    }
    assert keys["category_key"] in projects[keys["project_key"]]
    added = {each["key"] for each in examples("/projects/{project_key}/categories")}
    assert added.isdisjoint(projects[keys["project_key"]])
    emails = {each.get("email") for each in examples("/users")}
    assert (emails - {None}).isdisjoint(each.get("email") for each in there["people"])
