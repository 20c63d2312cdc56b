"""Tickets: opened, read, changed and listed; state, event and answer asserted together."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from conftest import Person, await_
from ticketing import contract
from ticketing.access import actors
from ticketing.ground.errors import Invalid
from ticketing.rules import tickets
from ticketing.writing import paging, preconditions
from ticketing.writing.idempotency import Claim

MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
New = Callable[..., dict[str, Any]]
Events = Callable[[], list[dict[str, Any]]]


def patch(by: Person, number: int, headers: dict[str, str] | None = None, /, **fields: Any) -> Any:
    return by.request("PATCH", f"/tickets/{number}", json=fields, headers=MERGE_PATCH | (headers or {}))


def test_create_ticket(requester: Person, project: str, new_events: Events) -> None:
    body = {
        "type": "bug",
        "project": project,
        "title": "Subtitles drift",
        "description": "By a second each *ten* minutes. 🎬",
        "severity": "medium",
        "category": "movies",
        "tags": ["subtitles", "sync"],
        "environment": {"app": "4.2.0", "os": "tvOS 19"},
    }
    response = requester.post("/tickets", json=body)

    assert response.status_code == 201
    ticket = response.json()
    assert body.items() <= ticket.items()
    assert ticket["requester"] == requester.ref
    defaults = {"status": "open", "resolution": "none", "priority": "normal", "assignee": None, "channel": "api"}
    assert defaults.items() <= ticket.items()
    assert response.headers["location"] == f"/api/v1/tickets/{ticket['number']}"
    read = requester.get(f"/tickets/{ticket['number']}")
    assert read.json() == ticket
    assert read.headers["etag"] == response.headers["etag"]
    (event,) = new_events()
    assert (event["type"], event["ticket"], event["data"]) == ("ticket.created", ticket["number"], ticket)
    assert (str(event["actor_id"]), event["previous"], event["internal"]) == (requester.id, {}, False)


def test_an_agent_opens_a_ticket_for_a_requester(agent: Person, requester: Person, new_ticket: New) -> None:
    ticket = new_ticket(by=agent, requester={"id": requester.id}, priority="urgent")
    assert (ticket["requester"], ticket["priority"]) == (requester.ref, "urgent")
    assert requester.get(f"/tickets/{ticket['number']}").status_code == 200


def test_an_agent_opens_a_ticket_for_someone_new(
    agent: Person, project: str, new_ticket: New, new_events: Events
) -> None:
    address = f"{project}@new.example"
    first = new_ticket(by=agent, requester={"email": address, "name": "Noor"})
    again = new_ticket(by=agent, requester={"email": address.upper()})
    assert first["requester"]["name"] == "Noor"
    assert again["requester"] == first["requester"]
    assert [event["type"] for event in new_events() if event["type"].startswith(("user", "ticket"))] == [
        "user.created",
        "ticket.created",
        "ticket.created",
    ]


def test_a_name_made_from_an_address_does_not_tell_the_address(
    agent: Person, project: str, new_ticket: New, new_events: Events, db: psycopg.Connection[Any]
) -> None:
    """Nor does the name that an earlier release made from it, which was all of it."""
    address = f"{project}@New.example"
    new_events()
    ticket = new_ticket(by=agent, requester={"email": address})
    assert ticket["requester"]["name"] == project
    opened = next(event for event in new_events() if event["type"] == "ticket.created")
    assert opened["data"]["requester"] == ticket["requester"]
    db.execute("update users set name = email where id = %s", (ticket["requester"]["id"],))
    assert agent.get(f"/tickets/{ticket['number']}").json()["requester"] == ticket["requester"]


@pytest.mark.parametrize("fields", [{"priority": "high"}, {"requester": {"email": "a@b.example"}}])
def test_only_staff_set_priority_and_requester(requester: Person, project: str, fields: dict[str, Any]) -> None:
    body = {"type": "support", "project": project, "title": "x", "description": ""} | fields
    response = requester.post("/tickets", json=body)
    assert response.status_code == 403
    assert response.json()["errors"][0]["pointer"] == f"#/{next(iter(fields))}"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"severity": "low", "type": "support"}, "#/severity"),
        ({"category": "nope"}, "#/category"),
        ({"project": "no-such"}, "#/project"),
        ({"title": "   "}, "#/title"),
        ({"title": "a\u0000b"}, None),
        ({"tags": ["twice", "twice"]}, "#/tags"),
        ({"unknown": 1}, "#"),
    ],
)
def test_what_a_new_ticket_may_not_be(
    requester: Person, project: str, fields: dict[str, Any], pointer: str | None, new_events: Events
) -> None:
    body = {"type": "bug", "project": project, "title": "x", "description": ""} | fields
    response = requester.post("/tickets", json=body)
    assert response.status_code == (422 if pointer else 400)
    if pointer:
        assert any(error["pointer"].startswith(pointer) for error in response.json()["errors"])
    assert new_events() == []


def test_a_project_takes_only_its_types(admin: Person, requester: Person, project: str) -> None:
    admin.request("PATCH", f"/projects/{project}", json={"ticket_types": ["support"]}, headers=MERGE_PATCH)
    body = {"type": "bug", "project": project, "title": "x", "description": ""}
    assert requester.post("/tickets", json=body).json()["errors"][0]["pointer"] == "#/type"
    assert requester.post("/tickets", json=body | {"type": "support"}).status_code == 201


def test_a_private_project_takes_tickets_from_staff_only(
    admin: Person, agent: Person, requester: Person, project: str
) -> None:
    admin.request("PATCH", f"/projects/{project}", json={"visibility": "private"}, headers=MERGE_PATCH)
    body = {"type": "bug", "project": project, "title": "x", "description": ""}
    assert requester.post("/tickets", json=body).json()["errors"][0]["pointer"] == "#/project"
    assert agent.post("/tickets", json=body).status_code == 201


def test_nobody_opens_a_ticket_for_who_is_inactive(
    agent: Person, sign_in: Callable[..., Person], project: str, db: psycopg.Connection[Any], database_url: str
) -> None:
    gone = sign_in("requester")
    db.execute("update users set active = false where id = %s", (gone.id,))
    body = {"type": "bug", "project": project, "title": "x", "description": ""}
    response = agent.post("/tickets", json=body | {"requester": {"id": gone.id}})
    assert response.json()["errors"][0]["pointer"] == "#/requester/id"

    async def already_signed_in() -> None:
        actor = actors.Actor(id=UUID(gone.id), requester_id=UUID(gone.id))
        async with await psycopg.AsyncConnection.connect(database_url, row_factory=dict_row) as conn:
            await tickets.create(conn, actor, claim=Claim(), type="bug", project=project, title="x", description="")

    with pytest.raises(Invalid, match="This requester is not active"):
        asyncio.run(already_signed_in())


def test_a_ticket_is_hidden_from_other_requesters(stranger: Person, agent: Person, new_ticket: New) -> None:
    number = new_ticket()["number"]
    hidden, absent = stranger.get(f"/tickets/{number}"), stranger.get("/tickets/9007199254740991")
    assert hidden.status_code == absent.status_code == 404
    varying = ("request_id", "detail")
    assert {k: v for k, v in hidden.json().items() if k not in varying} == {
        k: v for k, v in absent.json().items() if k not in varying
    }
    assert patch(stranger, number, title="mine").status_code == 404
    assert agent.get(f"/tickets/{number}").status_code == 200


def test_update_ticket(agent: Person, new_ticket: New, new_events: Events) -> None:
    ticket = new_ticket(environment={"app": "1", "os": "x"})
    new_events()
    response = patch(
        agent,
        ticket["number"],
        priority="high",
        assignee={"id": agent.id},
        tags=["a"],
        environment={"app": "2", "os": None},
    )
    assert response.status_code == 200
    changed = response.json()
    assert changed["assignee"] == agent.ref
    assert changed["environment"] == {"app": "2"}
    assert changed["updated_at"] > ticket["updated_at"]
    (event,) = new_events()
    assert (event["type"], event["data"]) == ("ticket.updated", changed)
    assert event["previous"] == {
        "priority": "normal",
        "assignee": None,
        "tags": [],
        "environment": {"app": "1", "os": "x"},
    }
    assert patch(agent, ticket["number"], assignee=None).json()["assignee"] is None


def test_a_patch_that_changes_nothing_records_nothing(agent: Person, new_ticket: New, new_events: Events) -> None:
    ticket = new_ticket()
    new_events()
    assert patch(agent, ticket["number"], title=ticket["title"]).json() == ticket
    assert new_events() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"priority": "high"},
        {"category": "music"},
        {"assignee": {"id": str(UUID(int=0))}},
        {"resolution": "fixed"},
        {"resolution_note": "x"},
    ],
)
def test_what_a_requester_may_not_change(requester: Person, new_ticket: New, fields: dict[str, Any]) -> None:
    response = patch(requester, new_ticket()["number"], **fields)
    assert response.status_code == 403
    assert response.json()["errors"][0]["pointer"] == f"#/{next(iter(fields))}"


def test_what_a_requester_may_change(requester: Person, new_ticket: New) -> None:
    fields = {"title": "T", "description": "D", "severity": "high", "tags": ["t"], "environment": {"a": "b"}}
    assert fields.items() <= patch(requester, new_ticket()["number"], **fields).json().items()


def test_references_that_a_patch_may_not_make(
    agent: Person, requester: Person, sign_in: Callable[..., Person], db: psycopg.Connection[Any], new_ticket: New
) -> None:
    number, former = new_ticket()["number"], sign_in("agent")
    db.execute("update users set active = false where id = %s", (former.id,))
    for nobody in (requester, former):
        assert patch(agent, number, assignee={"id": nobody.id}).json()["errors"][0]["pointer"] == "#/assignee"
    assert patch(agent, number, category="nope").json()["errors"][0]["pointer"] == "#/category"
    feature = new_ticket(type="feature_request")["number"]
    assert patch(agent, feature, severity="high").json()["errors"][0]["pointer"] == "#/severity"


STATUSES = ("open", "in_progress", "pending", "resolved", "closed")
NEXT = {
    "open": {"in_progress", "pending", "resolved", "closed"},
    "in_progress": {"open", "pending", "resolved", "closed"},
    "pending": {"open", "in_progress", "resolved", "closed"},
    "resolved": {"open", "closed"},
    "closed": set(),
}


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(STATUSES, 2)))
@pytest.mark.parametrize("role", ["agent", "requester"])
def test_the_status_machine(
    agent: Person, requester: Person, new_ticket: New, new_events: Events, before: str, after: str, role: str
) -> None:
    number = new_ticket()["number"]
    if before != "open":
        ended = {"resolution": "fixed"} if before in ("resolved", "closed") else {}
        assert patch(agent, number, status=before, **ended).status_code == 200
    new_events()
    by = agent if role == "agent" else requester
    allowed = NEXT[before] if role == "agent" or before == "resolved" else NEXT[before] & {"closed"}
    ended = {"resolution": "answered"} if after in ("resolved", "closed") and role == "agent" else {}
    response = patch(by, number, status=after, **ended)
    if after in allowed:
        assert response.status_code == 200, response.text
        assert response.json()["status"] == after
        (event,) = new_events()
        reopened = before == "resolved" and after == "open"
        names = {"resolved": "ticket.resolved", "closed": "ticket.closed"}
        assert event["type"] == ("ticket.reopened" if reopened else names.get(after, "ticket.updated"))
        assert event["previous"]["status"] == before
        changed = {name for name in event["data"] if event["data"][name] != response.json()[name]}
        assert changed == set()
    else:
        assert response.status_code == 409
        assert response.json()["code"] == "invalid_transition"
        assert set(response.json()["allowed"]) == allowed
        assert new_events() == []


def test_a_requester_closes_their_own_ticket(requester: Person, new_ticket: New, new_events: Events) -> None:
    for given, kept in (
        ({}, ("withdrawn", None)),
        ({"resolution": "fixed"}, ("fixed", None)),
        ({"resolution_note": " It was the cable. "}, ("withdrawn", "It was the cable.")),
        ({"resolution": "answered", "resolution_note": "x"}, ("answered", "x")),
    ):
        number = new_ticket()["number"]
        new_events()
        closed = patch(requester, number, status="closed", **given)
        assert closed.status_code == 200, closed.text
        ticket = closed.json()
        assert (ticket["status"], ticket["resolution"], ticket["resolution_note"]) == ("closed", *kept)
        assert ticket["closed_at"] and ticket["resolved_at"]
        (event,) = new_events()
        assert (event["type"], event["data"]) == ("ticket.closed", ticket)
        assert event["previous"].items() >= {"status": "open", "resolution": "none", "closed_at": None}.items()
        reopened = patch(requester, number, status="open")
        assert (reopened.status_code, reopened.json()["detail"]) == (409, "A ticket that is closed stays closed.")


def test_a_requester_gives_no_other_reason_for_an_end(agent: Person, requester: Person, new_ticket: New) -> None:
    number = new_ticket()["number"]
    assert patch(requester, number, resolution="fixed").status_code == 403
    assert patch(requester, number, status="closed", priority="low").status_code == 403
    patch(agent, number, status="resolved", resolution="fixed")
    assert patch(requester, number, status="closed", resolution="spam").status_code == 403
    assert patch(requester, number, status="closed").json()["resolution"] == "fixed"


@pytest.mark.parametrize(
    ("role", "before", "after", "detail"),
    [
        ("requester", "open", "pending", "Only agents and admins may make a ticket pending. You may make it closed."),
        (
            "requester",
            "resolved",
            "pending",
            "A ticket that is resolved cannot become pending. You may make it open or closed.",
        ),
        ("requester", "closed", "open", "A ticket that is closed stays closed."),
        ("agent", "closed", "open", "A ticket that is closed stays closed."),
        (
            "agent",
            "resolved",
            "in_progress",
            "A ticket that is resolved cannot become in_progress. You may make it open or closed.",
        ),
    ],
)
def test_what_is_said_of_a_status_is_true(
    agent: Person, requester: Person, new_ticket: New, role: str, before: str, after: str, detail: str
) -> None:
    number = new_ticket()["number"]
    if before != "open":
        patch(agent, number, status=before, resolution="fixed")
    refused = patch(agent if role == "agent" else requester, number, status=after)
    assert (refused.status_code, refused.json()["detail"]) == (409, detail)
    if before == "closed":
        assert patch(agent, number, title="An agent may still change it").status_code == 200


def test_an_end_needs_a_resolution_and_reopening_clears_it(agent: Person, new_ticket: New) -> None:
    number = new_ticket()["number"]
    assert patch(agent, number, status="resolved").json()["errors"][0]["pointer"] == "#/resolution"
    assert patch(agent, number, resolution="fixed").json()["errors"][0]["pointer"] == "#/resolution"
    resolved = patch(agent, number, status="resolved", resolution="fixed", resolution_note="In 4.3.").json()
    assert resolved["resolved_at"]
    assert resolved["closed_at"] is None
    reopened = patch(agent, number, status="open").json()
    assert (reopened["resolution"], reopened["resolution_note"], reopened["resolved_at"]) == ("none", None, None)


def test_a_requester_reopens_only_within_the_window(
    agent: Person, requester: Person, new_ticket: New, db: psycopg.Connection[Any]
) -> None:
    number = new_ticket()["number"]
    patch(agent, number, status="resolved", resolution="fixed")
    db.execute("update tickets set resolved_at = resolved_at - interval '15 days' where number = %s", (number,))
    response = patch(requester, number, status="open")
    assert (response.status_code, response.json()["allowed"]) == (409, ["closed"])
    assert response.json()["detail"] == (
        "It was resolved more than 14 days ago, so only agents and admins may reopen it. You may make it closed."
    )
    assert patch(agent, number, status="open").status_code == 200


def test_a_closed_ticket_is_final_for_its_requester(agent: Person, requester: Person, new_ticket: New) -> None:
    number = new_ticket()["number"]
    patch(agent, number, status="closed", resolution="invalid")
    assert patch(requester, number, title="Still broken").json()["code"] == "ticket_closed"


def test_conditional_reading(requester: Person, agent: Person, new_ticket: New) -> None:
    path = f"/tickets/{new_ticket()['number']}"
    tag = requester.get(path).headers["etag"]
    unchanged = requester.get(path, headers={"If-None-Match": f'"other", {tag}'})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", tag)
    agent.request("PATCH", path, json={"priority": "low"}, headers=MERGE_PATCH)
    assert requester.get(path, headers={"If-None-Match": tag}).status_code == 200


CHANGED = "It has changed since you read it. Read it again and repeat your change on that."
WEAK = "A weak ETag matches no change. Leave out W/, which a proxy that compresses puts before it."
NO_TAG = "Send the ETag or version as you got it; several with commas between."


@pytest.mark.parametrize(
    ("header", "status", "why"),
    [
        ("{tag}", 200, ""),
        ('"other", {tag}', 200, ""),
        ('"other" ,, {tag} ,', 200, ""),
        ('W/"other", {tag}', 200, ""),
        ("*", 200, ""),
        ('"other"', 412, CHANGED),
        ('"*"', 412, CHANGED),
        ("W/{tag}", 400, WEAK),
        ("{bare}", 200, ""),
        ("{edit}", 412, CHANGED),
        ('"other", {bare}', 200, ""),
        ("{bare} , other", 200, ""),
        ("{tag}, W/{bare}", 200, ""),
        ("other", 412, CHANGED),
        ("other, {rest}", 412, CHANGED),
        ("W/{bare}", 400, WEAK),
        ("other, W/{bare}", 400, WEAK),
        ("w/{tag}", 400, NO_TAG),
        ("'{bare}'", 400, NO_TAG),
        ('"{bare}', 400, NO_TAG),
        ('{bare}"', 400, NO_TAG),
        ("{bare} {bare}", 400, NO_TAG),
        ("*, {bare}", 400, NO_TAG),
        (",", 400, NO_TAG),
        ("*, {tag}", 400, NO_TAG),
        ('"other" {tag}', 400, NO_TAG),
        ('"other"{tag}', 400, NO_TAG),
    ],
)
def test_what_if_match_means(
    agent: Person, new_ticket: New, new_events: Events, header: str, status: int, why: str
) -> None:
    number = new_ticket()["number"]
    new_events()
    tag = agent.get(f"/tickets/{number}").headers["etag"]
    bare = tag.strip('"')
    edit, rest = bare.split(".")
    response = patch(
        agent, number, {"If-Match": header.format(tag=tag, bare=bare, edit=edit, rest=rest)}, title="changed"
    )
    assert response.status_code == status
    assert response.json().get("detail", "").endswith(why)
    assert len(new_events()) == (status == 200)


def test_a_list_of_tags_costs_one_digest(
    agent: Person, new_ticket: New, monkeypatch: pytest.MonkeyPatch, new_events: Events
) -> None:
    """A ticket may be long, and the list as well."""
    number = new_ticket()["number"]
    tag = agent.get(f"/tickets/{number}").headers["etag"]
    digests = []

    def noted(resource: Any, edited: Any) -> str:
        digests.append(resource)
        return contract.version(resource, edited)

    monkeypatch.setattr(preconditions, "version", noted)
    many = ",".join(['""'] * 150)
    assert patch(agent, number, {"If-Match": many}, title="y").status_code == 412
    assert patch(agent, number, {"If-Match": f"{many},{tag}"}, title="y").status_code == 200
    assert len(digests) == 2


def test_of_two_writers_with_one_etag_one_wins(agent: Person, new_ticket: New, new_events: Events) -> None:
    number = new_ticket()["number"]
    new_events()
    tag = agent.get(f"/tickets/{number}").headers["etag"]
    start = threading.Barrier(8)

    def write(title: str) -> int:
        start.wait()
        status: int = patch(agent, number, {"If-Match": tag}, title=title).status_code
        return status

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(write, [f"title {n}" for n in range(8)]))
    assert sorted(statuses) == [200] + [412] * 7
    assert len(new_events()) == 1


def test_200_concurrent_posts_with_one_key_make_one_ticket(requester: Person, project: str, new_events: Events) -> None:
    body = {"type": "support", "project": project, "title": "Once", "description": "only"}

    def post(_: int) -> Any:
        return requester.post("/tickets", json=body, headers={"Idempotency-Key": f"once-{project}"})

    with ThreadPoolExecutor(24) as threads:
        responses = list(threads.map(post, range(200)))
    assert {response.status_code for response in responses} == {201}
    assert len({response.json()["number"] for response in responses}) == 1
    assert len({response.headers["etag"] for response in responses}) == 1
    assert sum("idempotent-replayed" not in response.headers for response in responses) == 1
    assert len(new_events()) == 1


@pytest.mark.parametrize("change", ["update users set active = false where id = %s", None])
def test_a_repeated_request_is_answered_whatever_has_changed_since(
    agent: Person, admin: Person, sign_in: Callable[..., Person], project: str, db: Any, change: str | None
) -> None:
    """Its requester is not active any more, or its sender no agent."""
    person = sign_in("requester")
    sender = agent if change else sign_in("agent")
    body = {"type": "support", "project": project, "title": "x", "description": "", "requester": {"id": person.id}}
    key = {"Idempotency-Key": secrets.token_hex(8)}
    first = sender.post("/tickets", json=body, headers=key)
    db.execute(change or "update users set role = 'requester' where id = %s", (person.id if change else sender.id,))
    again = sender.post("/tickets", json=body, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert sender.post("/tickets", json=body).status_code == (422 if change else 403)


@pytest.mark.slow
def test_a_request_that_waits_in_vain_for_its_twin_is_told_so(
    requester: Person, project: str, database_url: str
) -> None:
    body = {"type": "support", "project": project, "title": "Once", "description": "only"}
    key = f"flight-{project}"
    with psycopg.connect(database_url) as twin:
        claim = "select claim_idempotency_key(%s, %s, 'other', gen_random_uuid())"
        twin.execute(claim, (requester.id, key))
        response = requester.post("/tickets", json=body, headers={"Idempotency-Key": key})
        assert (response.status_code, response.json()["code"]) == (409, "idempotency_key_in_flight")
        assert response.headers["retry-after"] == "1"
        twin.rollback()
    assert requester.post("/tickets", json=body, headers={"Idempotency-Key": key}).status_code == 201


@pytest.mark.slow
def test_a_request_that_waits_in_vain_for_something_else_is_not_told_of_a_twin(
    requester: Person, new_ticket: New, database_url: str
) -> None:
    number = new_ticket(requester)["number"]
    with psycopg.connect(database_url) as other:
        other.execute("select from tickets where number = %s for update", (number,))
        key = {"Idempotency-Key": secrets.token_hex(8)}
        response = requester.post(f"/tickets/{number}/comments", json={"body": "x"}, headers=key)
        assert (response.status_code, response.json()["code"]) == (503, "unavailable")


def test_a_key_used_for_another_request_is_refused(requester: Person, project: str) -> None:
    body = {"type": "support", "project": project, "title": "Once", "description": "only"}
    key = {"Idempotency-Key": f'"quoted-{project}"'}
    first = requester.post("/tickets", json=body, headers=key)
    bare = requester.post("/tickets", json=body, headers={"Idempotency-Key": f"quoted-{project}"})
    assert bare.json() == first.json()
    assert requester.post("/tickets", json=body | {"title": "Twice"}, headers=key).json()["code"] == (
        "idempotency_key_reused"
    )


def test_a_refused_request_does_not_use_its_key_up(requester: Person, project: str) -> None:
    body = {"type": "support", "project": project, "title": "x", "description": "", "category": "nope"}
    key = {"Idempotency-Key": f"refused-{project}"}
    assert requester.post("/tickets", json=body, headers=key).status_code == 422
    assert requester.post("/tickets", json=body | {"category": "music"}, headers=key).status_code == 201


def test_a_key_is_free_again_after_a_day(requester: Person, project: str, db: psycopg.Connection[Any]) -> None:
    body = {"type": "support", "project": project, "title": "x", "description": ""}
    key = {"Idempotency-Key": f"day-{project}"}
    first = requester.post("/tickets", json=body, headers=key)
    db.execute(
        "update idempotency_keys set created_at = created_at - interval '25 h' where key = %s", (f"day-{project}",)
    )
    assert requester.post("/tickets", json=body, headers=key).json()["number"] != first.json()["number"]


@pytest.fixture
def mixed(
    agent: Person, requester: Person, stranger: Person, new_ticket: New, db: psycopg.Connection[Any]
) -> list[dict[str, Any]]:
    tickets = []
    for n in range(12):
        ticket = new_ticket(
            by=agent,
            requester={"id": (requester if n % 2 else stranger).id},
            type=("bug", "feature_request", "support")[n % 3],
            priority=("low", "normal", "high", "urgent")[n % 4],
            tags=[f"t{n % 3}", "all"],
            **({"category": ("movies", "music")[n % 3]} if n % 3 < 2 else {}),
            **({"severity": "high"} if n % 3 == 0 else {}),
        )
        if n % 4 == 1:
            ticket = patch(agent, ticket["number"], assignee={"id": agent.id}, status="pending").json()
        if n == 2:
            ticket = patch(agent, ticket["number"], status="resolved", resolution="answered").json()
        if n == 3:
            db.execute(
                "update tickets set channel = 'import', external_source = 'github:octo/cat', external_id = number::text"
                " where number = %s",
                (ticket["number"],),
            )
            ticket = agent.get(f"/tickets/{ticket['number']}").json()
        tickets.append(ticket)
    return tickets


FILTERS: list[tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = [
    ({"type": "bug,support"}, lambda t: t["type"] in ("bug", "support")),
    ({"status": "pending"}, lambda t: t["status"] == "pending"),
    ({"status": "open,pending"}, lambda t: t["status"] != "resolved"),
    ({"status": ["pending", "closed"]}, lambda t: t["status"] == "pending"),
    ({"priority": "high,urgent"}, lambda t: t["priority"] in ("high", "urgent")),
    ({"severity": "high"}, lambda t: t["severity"] == "high"),
    ({"category": "music"}, lambda t: t["category"] == "music"),
    ({"category": "none"}, lambda t: t["category"] is None),
    ({"category": "none,music"}, lambda t: t["category"] != "movies"),
    ({"category": ["none", "music", "movies"]}, lambda t: True),
    ({"tag": "t1"}, lambda t: "t1" in t["tags"]),
    ({"tag": "t1,all"}, lambda t: "t1" in t["tags"]),
    ({"tag": "t1,t2"}, lambda t: False),
    ({"assignee": "me"}, lambda t: t["assignee"] is not None),
    ({"assignee": "none"}, lambda t: t["assignee"] is None),
    ({"assignee": "none,me"}, lambda t: True),
    ({"assignee": ["me", "none"], "status": "open"}, lambda t: t["status"] == "open"),
    ({"resolution": "answered"}, lambda t: t["resolution"] == "answered"),
    ({"resolution": "none"}, lambda t: t["resolution"] == "none"),
    ({"resolution": "none,answered,spam"}, lambda t: True),
    ({"channel": "api"}, lambda t: t["channel"] == "api"),
    ({"channel": "portal,import"}, lambda t: t["channel"] == "import"),
    ({"external_reference": "none"}, lambda t: t["external_reference"] is None),
    ({"external_reference": "none,github:octo/cat#0"}, lambda t: t["external_reference"] is None),
    ({"created_since": "2000-01-01T00:00:00Z"}, lambda t: True),
    ({"created_before": "2000-01-01T00:00:00Z"}, lambda t: False),
    ({"updated_since": "2100-01-01T00:00:00+02:00"}, lambda t: False),
    ({"created_since": "2000-01-01T00:00:00+20:43"}, lambda t: True),
    ({"updated_before": "2100-01-01T00:00:00Z", "status": "pending"}, lambda t: t["status"] == "pending"),
    ({"status": "pending", "type": "bug", "tag": "all"}, lambda t: t["status"] == "pending" and t["type"] == "bug"),
]


@pytest.mark.parametrize(("params", "matches"), FILTERS, ids=[str(params) for params, _ in FILTERS])
def test_filters(
    agent: Person,
    project: str,
    mixed: list[dict[str, Any]],
    params: dict[str, Any],
    matches: Callable[[dict[str, Any]], bool],
) -> None:
    listed = agent.pages("/tickets", project=project, limit=5, **params)
    assert listed == sorted(filter(matches, mixed), key=lambda t: (t["created_at"], t["number"]), reverse=True)


def test_filter_by_requester(agent: Person, requester: Person, project: str, mixed: list[dict[str, Any]]) -> None:
    listed = agent.pages("/tickets", project=project, requester=requester.id)
    assert {t["number"] for t in listed} == {t["number"] for t in mixed if t["requester"] == requester.ref}
    assert requester.pages("/tickets", project=project) == listed
    assert agent.pages("/tickets", project=project, requester="me") == []
    both = agent.pages("/tickets", project=project, requester=f"{requester.id},me", limit=5)
    assert both == listed
    everyone = {t["requester"]["id"] for t in mixed}
    assert len(agent.pages("/tickets", project=project, requester=",".join(everyone), limit=5)) == len(mixed)


def test_imported_ones_beside_those_that_are_not(agent: Person, project: str, mixed: list[dict[str, Any]]) -> None:
    (imported,) = (t for t in mixed if t["external_reference"])
    reference = f"github:octo/cat#{imported['external_reference']['id']}"
    assert agent.pages("/tickets", project=project, external_reference=reference) == [imported]
    listed = agent.pages("/tickets", project=project, external_reference=f"none,{reference}", limit=5)
    assert len(listed) == len(mixed)


@pytest.mark.parametrize("sort", ["created", "-created", "updated", "-updated", "priority", "-priority"])
def test_sorts(agent: Person, project: str, mixed: list[dict[str, Any]], sort: str) -> None:
    order = ("low", "normal", "high", "urgent")
    key: dict[str, Callable[[dict[str, Any]], Any]] = {
        "created": lambda t: (t["created_at"], t["number"]),
        "updated": lambda t: (t["updated_at"], t["number"]),
        "priority": lambda t: (order.index(t["priority"]), t["number"]),
    }
    listed = agent.pages("/tickets", project=project, sort=sort, limit=5)
    assert listed == sorted(mixed, key=key[sort.lstrip("-")], reverse=sort.startswith("-"))


@pytest.fixture(scope="module")
def long_tickets(admin: Person, requester: Person) -> Any:
    """A project with tickets that together are more than a page holds, by their descriptions and environments."""
    key = f"long-{secrets.token_hex(5)}"
    assert admin.post("/projects", json={"key": key, "name": "Long", "visibility": "public"}).status_code == 201
    texts: list[dict[str, Any]] = [{"description": "\U0001f39e" * 65_536}] * 7
    texts += [{"description": "-", "environment": {f"of {i}": "\U0001f39e" * 500 for i in range(30)}}] * 9
    made = []
    for i, fields in enumerate([{"description": "short"}, *texts, {"description": "short"}]):
        draft = {"project": key, "type": "bug", "title": f"Ticket {i}", "severity": "low"} | fields
        made.append(requester.post("/tickets", json=draft).json())
        assert made[-1]["number"]
    return made


@pytest.mark.parametrize("sort", ["created", "-created", "updated", "-updated", "priority", "-priority"])
def test_pages_end_with_their_bytes(requester: Person, long_tickets: list[dict[str, Any]], sort: str) -> None:
    """Nothing is missing, and each but the last ends as soon as the next ticket is too much."""
    items: list[Any] = []
    params: dict[str, Any] = {"project": long_tickets[0]["project"], "sort": sort, "limit": 100}
    pages = 0
    while "cursor" not in params or params["cursor"] is not None:
        response = requester.get("/tickets", params=params)
        assert len(response.content) < paging.BYTES + 20_000
        items += response.json()["items"]
        params["cursor"] = response.json()["next"]
        pages += 1
    assert pages in (2, 3)
    assert items == long_tickets[:: -1 if sort.startswith("-") else 1]


def test_a_page_has_one_ticket_at_least(
    requester: Person, long_tickets: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "BYTES", 1)
    project = long_tickets[0]["project"]
    assert requester.pages("/tickets", project=project, sort="created") == long_tickets
    first = requester.get("/tickets", params={"project": project, "limit": 1}).json()
    assert [item["number"] for item in first["items"]] == [long_tickets[-1]["number"]]


def test_pages_neither_skip_nor_repeat_while_tickets_are_opened(agent: Person, project: str, new_ticket: New) -> None:
    before = [new_ticket()["number"] for _ in range(10)]
    stop = threading.Event()
    added: list[int] = []

    def write() -> None:
        while not stop.is_set():
            added.append(new_ticket()["number"])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for sort in ("created", "-created"):
            listed = [t["number"] for t in agent.pages("/tickets", project=project, sort=sort, limit=3)][:500]
            assert len(listed) == len(set(listed))
            assert set(before) <= set(listed)
    finally:
        stop.set()
        writer.join()


def test_the_next_page_is_linked(agent: Person, project: str, mixed: list[dict[str, Any]]) -> None:
    first = agent.get("/tickets", params={"project": project, "limit": 5, "type": "bug,support"})
    link = first.headers["link"]
    assert link.endswith('>; rel="next"')
    second = agent.get(link.removeprefix("</api/v1").split(">")[0])
    assert second.json()["items"][0]["number"] < first.json()["items"][-1]["number"]
    assert "link" not in second.headers


def test_a_cursor_holds_for_the_same_values_in_any_order(
    agent: Person, project: str, mixed: list[dict[str, Any]]
) -> None:
    first = agent.get("/tickets", params={"project": project, "type": "bug,support", "limit": 3}).json()
    again = {"limit": 3, "cursor": first["next"], "project": project}
    pages = [
        agent.get("/tickets", params=again | {"type": types}).json()
        for types in ("bug,support", "support,bug", ["support", "bug"])
    ]
    assert pages[0]["items"]
    assert pages[0] == pages[1] == pages[2]


def test_links_fit_every_proxy_and_can_be_followed(
    agent: Person, project: str, new_ticket: New, db: psycopg.Connection[Any]
) -> None:
    """Also with filters as long as they may be, 4 KiB are enough for the head of an answer."""
    tags = [f"{n:02} c++ & ?#%=; ünïcödé"[:50] for n in range(20)]
    numbers = [new_ticket(tags=tags)["number"] for _ in range(3)]
    others = [f"p-{secrets.token_hex(18)}" for _ in range(18)]
    add = "insert into projects (key, name, ticket_types) select key, key, '{bug}' from unnest(%s::text[]) key"
    db.execute(add, (others,))
    filters = {"project": ",".join([project, *others]), "tag": ",".join(tags), "sort": "created", "limit": "1"}
    seen = []
    response = agent.get("/tickets", params=filters)
    while True:
        seen += [ticket["number"] for ticket in response.json()["items"]]
        head = sum(len(name) + len(value) + 4 for name, value in response.headers.raw)
        if "link" not in response.headers:
            break
        assert 1000 < head < 4096
        response = agent.get(response.headers["link"].removeprefix("</api/v1").split(">")[0])
    assert seen == numbers
    refused = agent.get("/tickets", params={"tag": ",".join(f"{n:02}{'ü' * 48}" for n in range(20))})
    assert refused.status_code == 400
    assert refused.json()["detail"].startswith("All filters together may have 3000 characters")


def test_a_cursor_belongs_to_its_list(agent: Person, project: str, mixed: list[dict[str, Any]]) -> None:
    cursor = agent.get("/tickets", params={"project": project, "limit": 5}).json()["next"]
    for params in ({"sort": "created"}, {"project": project, "type": "bug"}, {}):
        response = agent.get("/tickets", params={"cursor": cursor} | params)
        assert response.json()["code"] == "invalid_cursor"
    assert agent.get("/tickets", params={"cursor": "bm9wZQ=="}).json()["code"] == "invalid_cursor"


def test_a_filter_by_what_is_not_there_is_no_empty_list(
    admin: Person, agent: Person, requester: Person, project: str, new_ticket: New
) -> None:
    admin.request("PATCH", f"/projects/{project}", json={"visibility": "private"}, headers=MERGE_PATCH)
    for by, key in ((agent, "no-such-one"), (requester, "no-such-one"), (requester, project)):
        for parameter, what in (("project", "project"), ("category", "category")):
            if (parameter, key) != ("category", project):
                response = by.get("/tickets", params={parameter: f"{key},no-such-two"})
                assert response.status_code == 400
                assert response.json()["errors"] == [
                    {
                        "code": "unknown",
                        "parameter": parameter,
                        "detail": f"There is no {what} '{unknown}' that you may see.",
                    }
                    for unknown in (key, "no-such-two")
                ]
    assert agent.get("/tickets", params={"project": project}).json()["items"] == []
    assert agent.get("/tickets", params={"project": project, "category": "music"}).json()["items"] == []
    admin.request("PATCH", f"/projects/{project}", json={"visibility": "public"}, headers=MERGE_PATCH)
    number = new_ticket()["number"]
    admin.request("PATCH", f"/projects/{project}", json={"visibility": "private"}, headers=MERGE_PATCH)
    for filters, numbers in (({}, [number]), ({"status": "pending"}, []), ({"category": "music"}, [])):
        listed = requester.get("/tickets", params={"project": project} | filters).json()["items"]
        assert [ticket["number"] for ticket in listed] == numbers, "they have a ticket in it"


@pytest.mark.parametrize(
    "query", ["nope=1", "sort=created&sort=updated", "limit=0", "limit=1_0", "status=new", "sort=votes"]
)
def test_what_a_list_refuses(agent: Person, query: str) -> None:
    response = agent.get(f"/tickets?{query}")
    assert response.status_code == 400
    assert response.json()["errors"][0]["parameter"] == query.split("=", maxsplit=1)[0]


def test_a_requester_says_why_only_with_the_end(requester: Person, new_ticket: New, new_events: Events) -> None:
    number = new_ticket()["number"]
    new_events()
    for fields in ({"resolution": "duplicate"}, {"resolution": "fixed", "resolution_note": "x"}):
        refused = patch(requester, number, {}, **fields)
        assert refused.status_code == 403
        assert refused.json()["detail"] == f"You may set {', '.join(fields)} only together with the status closed."
        assert [error["pointer"] for error in refused.json()["errors"]] == [f"#/{name}" for name in fields]
    staffs = patch(requester, number, {}, resolution="duplicate", priority="high")
    assert staffs.json()["detail"] == "Only agents and admins may set priority."
    assert new_events() == []
    assert patch(requester, number, {}, status="closed", resolution="duplicate").status_code == 200


def test_a_change_that_waits_for_another_takes_none_of_it_back(
    agent: Person,
    sign_in: Callable[..., Person],
    new_ticket: New,
    new_events: Events,
    db: psycopg.Connection[Any],
    database_url: str,
) -> None:
    """The other one assigns the ticket to somebody who has been added since the waiting began."""
    number = new_ticket()["number"]
    new_events()
    waits = "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    with psycopg.connect(database_url) as other, ThreadPoolExecutor() as threads:
        other.execute("select from tickets where number = %s for no key update", (number,))
        answer = threads.submit(patch, agent, number, title="y")
        await_(lambda: db.execute(waits).rowcount > 0)
        newcomer = sign_in("agent")
        other.execute("update tickets set assignee_id = %s where number = %s", (newcomer.id, number))
        other.commit()
        changed = answer.result(20)
    assert changed.status_code == 200, changed.text
    assert (changed.json()["title"], changed.json()["assignee"]) == ("y", newcomer.ref)
    assert agent.get(f"/tickets/{number}").json() == changed.json()
    (event,) = new_events()
    assert (event["data"], event["previous"]) == (changed.json(), {"title": "Playback stops"})


@pytest.mark.parametrize("fields", [{}, {"resolution": "none"}, {"resolution": "none", "resolution_note": None}])
def test_a_requester_reopens_with_all_that_they_read(
    agent: Person, requester: Person, new_ticket: New, new_events: Events, fields: dict[str, Any]
) -> None:
    number = new_ticket()["number"]
    read = patch(agent, number, status="resolved", resolution="fixed", resolution_note="In 4.3.").json()
    new_events()
    answer = patch(requester, number, **{**read, "status": "open", **fields})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["resolution"], answer.json()["resolution_note"]) == (
        *("open", "none"),
        None,
    )
    (event,) = new_events()
    assert event["type"] == "ticket.reopened"
    assert event["previous"] == {
        name: read[name] for name in ("status", "resolution", "resolution_note", "resolved_at")
    }
