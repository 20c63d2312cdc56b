"""Types of event: each is declared once, and told to whoever could read the thing, in every channel."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any
from uuid import uuid4

import hypothesis
import psycopg
import pytest
import uuid_utils.compat as uuids
from hypothesis import HealthCheck, given
from psycopg.types.json import Jsonb
from test_access import PROJECTS, WORLDS, World, _made, sees, staffs
from test_comments import comment
from test_feed import end, in_every_way
from test_tickets import New

from conftest import Person, settled
from judged import subject
from ticketing import contract
from ticketing.access import bearer
from ticketing.ground import paths
from ticketing.log.places import Reader

Db = psycopg.Connection[dict[str, Any]]
ROOT = paths.SPEC.parent
READ, WRITE, ADMIN = "tickets:read", "tickets:write", "admin"


@pytest.fixture
def declared(db: Db) -> dict[str, dict[str, Any]]:
    """The declarations, by type."""
    return {row["type"]: row for row in db.execute("select * from event_types").fetchall()}


# One declaration -----------------------------------------------------------------------------------------------------


def test_the_contract_and_the_statements_name_the_types_that_are_declared(declared: dict[str, dict[str, Any]]) -> None:
    document = contract.load(paths.SPEC / "dist" / "openapi.json")
    schemas = document["components"]["schemas"]
    types = list(declared)
    assert schemas["EventType"]["enum"] == types
    assert sorted(document["webhooks"]) == sorted(types)
    *families, unknown = (choice["$ref"].rpartition("/")[2] for choice in schemas["Event"]["anyOf"])
    assert sorted(word for family in families for word in schemas[f"{family}Type"]["enum"]) == sorted(types)
    assert schemas[unknown]["properties"]["type"]["not"]["enum"] == types
    assert unknown > max(families), "clients in Go and Java try them by name, and everything fits the last"
    nouns = "|".join({kind.partition(".")[0] for kind in types})
    recorded = {
        literal
        for folder in (paths.QUERIES, ROOT / "src")
        for path in (*folder.rglob("*.sql"), *folder.rglob("*.py"))
        for literal in re.findall(rf"""['"]((?:{nouns})\.[a-z]+)['"]""", path.read_text())
        if "insert into events" in path.read_text() or path.suffix == ".py"
    }
    assert {kind for kind in recorded if kind.rpartition(".")[2].endswith("ed")} <= set(types)


def test_scopes_are_those_of_the_contract(declared: dict[str, dict[str, Any]]) -> None:
    schemas = contract.load(paths.SPEC / "dist" / "openapi.json")["components"]["schemas"]
    assert {row["scope"] for row in declared.values()} <= set(schemas["Scope"]["enum"])


def rows(text: str) -> list[list[str]]:
    """The cells of the rows of tables in Markdown that begin with types of events."""
    return [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in text.splitlines()
        if line.strip().startswith("| `")
    ]


def of_nouns(cell: str, declared: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The declarations of types that a cell such as `ticket.*`, `comment.*` names."""
    nouns = re.findall(r"`(\w+)\.\*`", cell)
    return [row for kind, row in declared.items() if kind.partition(".")[0] in nouns]


def test_the_documents_say_what_is_declared(declared: dict[str, dict[str, Any]]) -> None:
    document = contract.load(paths.SPEC / "dist" / "openapi.json")
    feed = [row for row in rows(document["paths"]["/events"]["get"]["description"]) if len(row) == 3]
    for cell, _, scope in feed:
        assert {row["scope"] for row in of_nouns(cell, declared)} == {scope.strip("`")}
    webhooks = rows((ROOT / "docs/webhooks.md").read_text())
    for cell, unfiltered, public in webhooks:
        assert {row["unfiltered"] for row in of_nouns(cell, declared)} == {unfiltered == "yes"}
        assert {row["internal"] for row in of_nouns(cell, declared)} == {public == "no"}
    for table in (feed, webhooks):
        named = [row["type"] for cells in table for row in of_nouns(cells[0], declared)]
        assert sorted(named) == sorted(declared), "each once"
    for kind, row in declared.items():
        told = " ".join(document["webhooks"][kind]["post"]["description"].split())
        to = "the endpoints with `include_internal`" if row["internal"] else "the endpoints"
        how = "whose filters it passes" if row["unfiltered"] else "that name it in `event_types`"
        assert told.startswith(f"Sent for each `{kind}` to {to} {how}"), kind


def test_a_type_that_is_not_declared_is_shown_to_nobody(
    db: Db, agent: Person, admin: Person, requester: Person, new_ticket: New
) -> None:
    people = (requester, agent, admin)
    cursors = [end(person) for person in people]
    ticket = new_ticket()
    record(db, "ticket.forgotten", ticket, ticket=ticket["number"], project=ticket["project"])
    record(db, "surprise.created", {"id": requester.id, "visibility": "public"}, project=ticket["project"])
    # One that its type does not let whoever sees a ticket read.
    record(db, "webhook.rotated", subject("webhook.rotated"), ticket=ticket["number"], project=ticket["project"])
    settled(db)
    for person, cursor in zip(people, cursors, strict=True):
        seen = in_every_way(person, cursor, bool)
        assert "ticket.created" in {event["type"] for event in seen}
        assert not {"ticket.forgotten", "surprise.created"} & {event["type"] for event in seen}
        assert [event["type"] for event in person.pages(f"/tickets/{ticket['number']}/events")] == ["ticket.created"]
    endpoint = admin.post("/webhook-endpoints", json={"url": "https://127.0.0.1/", "include_internal": True}).json()
    wanted = db.execute(
        "select e.type from events e, webhook_endpoints w where w.id = %s and webhook_wants(w, e)"
        " and e.type in ('ticket.forgotten', 'surprise.created')",
        (endpoint["id"],),
    ).fetchall()
    assert wanted == []


# To whoever could read the thing -------------------------------------------------------------------------------------


def record(db: Db, kind: str, data: dict[str, Any], **columns: Any) -> str:
    """Write an event as the statement of a change would."""
    event_id = str(uuids.uuid7())
    names = {"ticket": None, "project": None, "internal": None} | columns
    db.execute(
        "insert into events (id, type, ticket, project, internal, data) values (%s, %s, %s, %s, %s, %s)",
        (event_id, kind, names["ticket"], names["project"], names["internal"], Jsonb(data)),
    )
    return event_id


@pytest.mark.slow
def test_the_feed_and_the_stream_tell_what_a_token_can_read(
    declared: dict[str, dict[str, Any]],
    sign_in: Callable[..., Person],
    db: Db,
    admin: Person,
    agent: Person,
    new_ticket: New,
) -> None:
    """Of every type, to every role, with every set of scopes that may read the feed: as the operations answer."""
    owner, stranger, staff, boss = (sign_in(role) for role in ("requester", "requester", "agent", "admin"))
    ticket = new_ticket(owner)
    number, key = ticket["number"], ticket["project"]
    hidden = f"p-{secrets.token_hex(5)}"
    private = admin.post("/projects", json={"key": hidden, "name": "Hidden"}).json()
    said, note = (comment(agent, number, "x", visibility=v).json() for v in ("public", "internal"))
    token = owner.post("/tokens", json={"name": "x", "scopes": [READ]}).json()
    endpoint = admin.post("/webhook-endpoints", json={"url": "https://127.0.0.1/"}).json()
    guest = admin.post("/invitations", json={"name": "x", "email": f"{secrets.token_hex(6)}@lumen.example"}).json()
    kept = [
        (by, by.post("/views", json={"name": "x", "q": "", "visibility": visibility}).json())
        for by, visibility in ((owner, "private"), (staff, "shared"))
    ]
    job = db.execute("select enqueue_job('test.nothing', '{}', run_at => now() + interval '1 day') as id").fetchone()
    assert job
    place = {"ticket": number, "project": key}
    category = {"key": "music", "name": "x"}
    #: By noun: what events are about, where they happened, and how it is read.
    things: dict[str, list[tuple[dict[str, Any], dict[str, Any], list[str]]]] = {
        "ticket": [(ticket, place, [f"/tickets/{number}"])],
        "comment": [
            (each, place | {"internal": each is note}, [f"/tickets/{number}/comments/{each['id']}"])
            for each in (said, note)
        ],
        "user": [({"id": owner.id}, {}, [f"/users/{owner.id}"])],
        "project": [
            (admin.get(f"/projects/{key}").json(), {"project": key}, [f"/projects/{key}"]),
            (private, {"project": hidden, "internal": True}, [f"/projects/{hidden}"]),
        ],
        "category": [(category, {"project": key}, [f"/projects/{key}/categories/music"])],
        "token": [({"id": token["id"]}, {}, [f"/tokens/{token['id']}", f"/users/{owner.id}/tokens/{token['id']}"])],
        "invitation": [({"id": guest["id"]}, {}, [f"/invitations/{guest['id']}"])],
        "view": [
            ({"owner": {"id": by.id, "name": "x"}, "visibility": each["visibility"]}, {}, [f"/views/{each['id']}"])
            for by, each in kept
        ],
        # Who is signed in lists their sessions; an admin sees of them what they see of tokens.
        "session": [
            (
                {"user_id": owner.id},
                {},
                [f"/tokens/{token['id']}", f"/users/{owner.id}/tokens/{token['id']}"],
            )
        ],
        "webhook": [(endpoint, {}, [f"/webhook-endpoints/{endpoint['id']}"])],
        "job": [({"id": str(job["id"])}, {}, [f"/ops/v1/jobs/{job['id']}"])],
        "queue": [({"name": "default"}, {}, ["/ops/v1/queues"])],
    }
    settled(db)
    cursor_of = {}
    people = {}
    for person, more in product((owner, stranger, staff, boss), ((), (WRITE,), (ADMIN,), (WRITE, ADMIN))):
        scopes = (READ, *more)
        reader = with_scopes(db, person, scopes)
        people[person.role, person.id, scopes] = reader
        cursor_of[reader.token] = end(reader)
    recorded = {
        record(db, kind, subject(kind) | data, **where): addresses
        for kind in declared
        for data, where, addresses in things[kind.partition(".")[0]]
    }
    settled(db)
    for who, reader in people.items():
        readable = {
            address: reader.get(address).status_code == 200
            for address in {address for each in recorded.values() for address in each}
        }
        expected = {event_id for event_id, each in recorded.items() if any(readable[address] for address in each)}
        seen = in_every_way(reader, cursor_of[reader.token], lambda _: True)
        assert {event["id"] for event in seen if event["id"] in recorded} == expected, who
        reader.close()


@pytest.fixture(scope="module")
def empty(new_database: Callable[..., str]) -> str:
    return new_database()


@pytest.mark.slow
@hypothesis.settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(world=WORLDS)
def test_the_readers_of_events_are_those_who_see_what_they_are_about(empty: str, world: World) -> None:
    """By the model of test_access.py, which the predicate for lists and gets is held to; and how they see it."""
    asyncio.run(_compare(empty, world))


async def _compare(url: str, world: World) -> None:
    async with _made(url, world) as (conn, actors, numbers):
        for number, ticket in numbers.items():
            await _happened(conn, "ticket.updated", number, ticket.project, False, {})
            await _happened(conn, "comment.created", number, ticket.project, False, {"visibility": "public"})
            await _happened(conn, "comment.created", number, ticket.project, True, {"visibility": "internal"})
        for key in PROJECTS:
            await _happened(conn, "category.created", None, key, key not in world.public, {})
        for actor in actors.values():
            await _happened(conn, "user.updated", None, None, None, {"id": str(actor.id)})
        cursor = await conn.execute(
            "select e.*, d.scope, r.*"
            "  from events e join event_types d on d.type = e.type cross join lateral event_readers(e, d.readers) r"
        )
        entries: list[Any] = await cursor.fetchall()
        for who, actor in actors.items():
            user = None if who is None else world.users[who]
            reader = Reader(replace(actor, scopes=frozenset({READ})), None, None)
            for entry in entries:
                if entry["type"] == "user.updated":
                    own = actor.id and entry["data"]["id"] == str(actor.id)
                    expected = "whole" if actor.staffs_any else "public" if own else None
                elif entry["ticket"]:
                    seen = sees(world, who, numbers[entry["ticket"]])
                    expected = "whole" if staffs(user, entry["project"]) else "public" if seen else None
                    expected = None if entry["internal"] and expected != "whole" else expected
                else:
                    shown = entry["project"] in world.public
                    expected = "whole" if staffs(user, entry["project"]) else "public" if shown else None
                assert reader.view(entry) == expected, (entry["type"], entry["seen_by"], reader.names)


async def _happened(
    conn: Any, kind: str, ticket: int | None, project: str | None, internal: bool | None, data: dict[str, Any]
) -> None:
    await conn.execute(
        "insert into events (id, type, ticket, project, internal, data) values (%s, %s, %s, %s, %s, %s)",
        (uuids.uuid7(), kind, ticket, project, internal, Jsonb(data)),
    )


def with_scopes(db: Db, person: Person, scopes: tuple[str, ...]) -> Person:
    """Somebody with another token, which holds these scopes."""
    secret = bearer.new_token()
    db.execute(
        "insert into tokens (id, user_id, name, hash, prefix, scopes) values (%s, %s, 'x', %s, %s, %s)",
        (uuids.uuid7(), person.id, bearer.hash_token(secret), secret[:12], list(scopes)),
    )
    return Person(str(person.base_url), uuids.UUID(person.id), person.name, person.role, secret)


def test_types_that_a_token_has_no_scope_for_are_refused(
    declared: dict[str, dict[str, Any]], sign_in: Callable[..., Person]
) -> None:
    reader = sign_in("admin", scopes=(READ, WRITE))
    beyond = [kind for kind, row in declared.items() if row["scope"] == ADMIN]
    assert {"webhook.created", "job.retried", "queue.paused"} <= set(beyond)
    for path in ("/events", "/events/stream"):
        response = reader.get(path, params={"type": ",".join(["ticket.created", *beyond])})
        assert (response.status_code, response.json()["code"]) == (400, "invalid_parameter")
        faults = response.json()["errors"]
        assert [fault["detail"].split()[0] for fault in faults] == sorted(beyond)
        assert all(fault["parameter"] == "type" and fault["detail"].endswith("the scope admin.") for fault in faults)
    page = sign_in("admin").get("/events", params={"type": ",".join(beyond), "start": "end"})
    assert page.status_code == 200
    assert reader.get("/events", params={"type": "ticket.created,token.created"}).status_code == 200


# To endpoints --------------------------------------------------------------------------------------------------------


def test_without_include_internal_an_endpoint_is_told_of_nothing_that_is_for_staff(
    declared: dict[str, dict[str, Any]], db: Db, admin: Person, project: str
) -> None:
    """Whichever types it names, and of what the release before this one has written as well."""
    types = list(declared)
    endpoints = {
        internal: admin.post(
            "/webhook-endpoints",
            json={"url": "https://127.0.0.1/", "event_types": types, "include_internal": internal},
        ).json()["id"]
        for internal in (False, True)
    }
    body = {"url": "https://127.0.0.1/", "include_internal": True}
    unnamed = admin.post("/webhook-endpoints", json=body).json()["id"]
    recorded = {
        record(db, kind, subject(kind) | {"id": str(uuid4())}, project=project, internal=internal): (kind, internal)
        for kind in types
        for internal in (None, False, True)
    }
    old = record(db, "comment.created", subject("comment.created") | {"id": str(uuid4())}, project=project)
    db.execute("update events set audience = 'internal', internal = null where id = %s", (old,))
    recorded[old] = ("comment.created", True)

    def wanted(endpoint: str) -> set[tuple[str, bool | None]]:
        told = db.execute(
            "select e.id from events e, webhook_endpoints w where w.id = %s and webhook_wants(w, e) and e.id = any(%s)",
            (endpoint, list(recorded)),
        ).fetchall()
        return {recorded[str(row["id"])] for row in told}

    every = set(recorded.values())
    assert wanted(endpoints[True]) == every
    assert wanted(endpoints[False]) == {
        (kind, internal) for kind, internal in every if not declared[kind]["internal"] and not internal
    }
    assert wanted(unnamed) == {(kind, internal) for kind, internal in every if declared[kind]["unfiltered"]}


def test_an_endpoint_that_would_never_be_told_anything_is_refused(admin: Person) -> None:
    body = {"url": "https://127.0.0.1/", "event_types": ["webhook.failing", "user.created"]}
    response = admin.post("/webhook-endpoints", json=body)
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "#/include_internal")
    made = admin.post("/webhook-endpoints", json=body | {"include_internal": True})
    assert made.status_code == 201
    path = f"/webhook-endpoints/{made.json()['id']}"
    merge = {"Content-Type": "application/merge-patch+json"}
    assert admin.patch(path, json={"include_internal": False}, headers=merge).status_code == 422
    assert admin.patch(path, json={"description": "x"}, headers=merge).status_code == 200
    mixed = {"include_internal": False, "event_types": ["user.created", "ticket.created"]}
    assert admin.patch(path, json=mixed, headers=merge).status_code == 200
    assert admin.patch(path, json={"event_types": ["user.created"]}, headers=merge).status_code == 422
