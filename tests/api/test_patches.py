"""What a GET answers, a PATCH takes: every resource is sent back as it was read, and nothing happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from test_tickets import MERGE_PATCH, Events, New, patch

from conftest import Person
from judged import whole
from ticketing.access.policy import TRANSITIONS
from ticketing.reactions.webhooks import endpoints
from ticketing.rules import categories, comments, me, projects, queues, tickets, users, views

DOCUMENT = whole()
PATCHED = {path for path, item in DOCUMENT["paths"].items() if "patch" in item}


def sent_back(by: Person, path: str, new_events: Events) -> dict[str, Any]:
    """Send a resource back as it was read; gives it."""
    read = by.get(path)
    new_events()
    answer = by.request("PATCH", path, json=read.json(), headers=MERGE_PATCH | {"If-Match": read.headers["etag"]})
    assert answer.status_code == 200, (path, answer.text)
    assert (answer.json(), answer.headers["etag"]) == (read.json(), read.headers["etag"])
    assert new_events() == []
    resource: dict[str, Any] = read.json()
    return resource


def test_every_resource_can_be_sent_back_as_it_was_read(
    admin: Person,
    requester: Person,
    project: str,
    new_ticket: New,
    new_events: Events,
    db: psycopg.Connection[dict[str, Any]],
) -> None:
    db.execute("delete from jobs where queue = 'webhooks'")  # For how long the oldest has been due changes by itself.
    number = new_ticket(tags=["a", "ü"], environment={"app": "1"})["number"]
    said = admin.post(f"/tickets/{number}/comments", json={"body": "x", "visibility": "internal"}).json()["id"]
    hook = {"url": "https://127.0.0.1/x", "projects": [project], "event_types": ["ticket.created"]}
    endpoint = admin.post("/webhook-endpoints", json=hook).json()["id"]
    view = {"name": "x", "q": "status:open", "columns": ["title", "number"], "visibility": "shared"}
    machine = admin.post("/users", json={"name": "Robot", "service_account": True}).json()["id"]
    places = {
        "/tickets/{number}": f"/tickets/{number}",
        "/tickets/{number}/comments/{comment_id}": f"/tickets/{number}/comments/{said}",
        "/projects/{project_key}": f"/projects/{project}",
        "/projects/{project_key}/categories/{category_key}": f"/projects/{project}/categories/music",
        "/me": "/me",
        "/users/{user_id}": f"/users/{requester.id}",
        "/views/{view_id}": f"/views/{admin.post('/views', json=view).json()['id']}",
        "/webhook-endpoints/{endpoint_id}": f"/webhook-endpoints/{endpoint}",
    }
    places["/ops/v1/queues/{queue_name}"] = "/ops/v1/queues/webhooks"
    assert places.keys() == PATCHED
    for path in places.values():
        sent_back(admin, path, new_events)
    sent_back(admin, f"/users/{machine}", new_events)


def alternatives(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The schemas of which a value meets one, each with one type."""
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]] | {
            name: value for name, value in schema.items() if name != "$ref"
        }
    if "oneOf" in schema:
        return [each for part in schema["oneOf"] for each in alternatives(part)]
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return [schema | {"type": type_} for type_ in types]


def untaken(read: dict[str, Any], taken: dict[str, Any], at: str = "#") -> list[str]:
    """Where a schema allows what another does not; what comes only on request is nothing to be sent back."""
    faults: list[str] = []
    by_type = {each["type"]: each for each in alternatives(taken)}
    for each in alternatives(read):
        other = by_type.get(each["type"])
        if other is None:
            faults.append(f"{at} is no {each['type']}")
            continue
        words = each.get("enum") or each.get("x-extensible-enum")
        if words and "enum" in other:
            faults += [f"{at} is not {word}" for word in words if word not in other["enum"]]
        fields = other.get("properties", {})
        for name, schema in each.get("properties", {}).items():
            if name in fields:
                faults += untaken(schema, fields[name], f"{at}/{name}")
            elif other.get("additionalProperties") is False and "x-on-request" not in alternatives(schema)[0]:
                faults.append(f"{at}/{name} is not there")
        if "items" in each:
            faults += untaken(each["items"], other["items"], f"{at}/items")
    return faults


@pytest.mark.parametrize("path", sorted(PATCHED))
def test_what_a_get_may_answer_a_patch_takes(path: str) -> None:
    """Each field with each of its types and words, as deep as it goes."""
    item = DOCUMENT["paths"][path]
    answered = item["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert len(untaken(answered, {"type": "object", "additionalProperties": False})) > 3
    for media in item["patch"]["requestBody"]["content"].values():
        assert untaken(answered, media["schema"]) == []


def test_a_ticket_can_be_sent_back_in_every_state_and_by_everyone(
    agent: Person, requester: Person, new_ticket: New, new_events: Events, db: psycopg.Connection[Any]
) -> None:
    number = new_ticket()["number"]
    path = f"/tickets/{number}"
    db.execute("update tickets set external_source = 'github:o/r', external_id = %s where number = %s", (path, number))
    steps: list[dict[str, Any]] = [
        {"assignee": {"id": agent.id}, "category": "music", "priority": "high"},
        {"status": "resolved", "resolution": "fixed", "resolution_note": "In 4.3."},
        {"status": "closed"},
    ]
    for step in steps:
        assert patch(agent, number, **step).status_code == 200
        for by in (agent, requester):
            sent_back(by, path, new_events)


def test_the_contract_says_of_each_resource_what_can_be_changed() -> None:
    """The first part of an ETag is made of it (x-edited), and so is what If-Match compares."""
    schemas = DOCUMENT["components"]["schemas"]
    edited = {name: set(schema["x-edited"]) for name, schema in schemas.items() if "x-edited" in schema}
    assert edited.pop("WebhookEndpointWithSecret") == edited["WebhookEndpoint"]
    assert edited == {
        "Me": set(me.EDITED),
        "Ticket": set(tickets.EDITED),
        "Comment": set(comments.FIELDS),
        "User": set(users.FIELDS),
        "Project": set(projects.FIELDS),
        "Category": set(categories.FIELDS),
        "WebhookEndpoint": set(endpoints.FIELDS),
        "View": set(views.FIELDS),
        "Queue": set(queues.FIELDS),
    }
    changed = {
        item["patch"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for item in DOCUMENT["paths"].values()
        if "patch" in item
    }
    assert changed == edited.keys()


@pytest.mark.parametrize("path", sorted(PATCHED))
def test_a_patch_is_declared_alike_in_both_media_types(path: str) -> None:
    content = DOCUMENT["paths"][path]["patch"]["requestBody"]["content"]
    assert content.keys() == {"application/merge-patch+json", "application/json"}
    assert content["application/merge-patch+json"] == content["application/json"]


def test_a_patch_means_the_same_as_plain_json(agent: Person, new_ticket: New, new_events: Events) -> None:
    """Several generators and importers send nothing else."""
    number = new_ticket(environment={"app": "1", "os": "x"})["number"]
    new_events()
    changed = agent.request("PATCH", f"/tickets/{number}", json={"title": "y", "environment": {"os": None}})
    assert changed.request.headers["content-type"] == "application/json"
    assert (changed.status_code, changed.json()["title"]) == (200, "y")
    assert changed.json()["environment"] == {"app": "1"}
    (event,) = new_events()
    assert (event["data"], event["previous"].keys()) == (changed.json(), {"title", "environment"})
    refused = agent.request("PATCH", f"/tickets/{number}", content="{}", headers={"Content-Type": "text/plain"})
    assert (refused.status_code, new_events()) == (415, [])
    assert refused.headers["accept-patch"] == "application/merge-patch+json, application/json"


def test_a_comment_does_not_fail_the_edit_of_a_ticket(
    agent: Person, requester: Person, new_ticket: New, new_events: Events
) -> None:
    path = f"/tickets/{new_ticket()['number']}"
    read = agent.get(path)
    assert requester.post(f"{path}/comments", json={"body": "x"}).status_code == 201
    now = agent.get(path)
    assert now.json()["updated_at"] != read.json()["updated_at"]
    assert agent.get(path, headers={"If-None-Match": read.headers["etag"]}).status_code == 200, "it has changed"
    new_events()
    headers = MERGE_PATCH | {"If-Match": read.headers["etag"]}
    whole = agent.request("PATCH", path, json=read.json() | {"title": "y"}, headers=headers)
    assert (whole.status_code, whole.json()["title"]) == (200, "y"), whole.text
    (event,) = new_events()
    assert (event["data"], event["previous"]) == (whole.json(), {"title": now.json()["title"]})
    assert agent.request("PATCH", path, json={"title": "z"}, headers=headers).status_code == 412
    assert agent.request("PATCH", path, json=read.json() | {"title": "z"}, headers=MERGE_PATCH).status_code == 412
    forged = read.json() | {"title": "z", "channel": "email"}
    headers["If-Match"] = whole.headers["etag"]
    assert agent.request("PATCH", path, json=forged, headers=headers).status_code == 422


def test_a_failing_receiver_does_not_fail_the_edit_of_its_endpoint(admin: Person, db: psycopg.Connection[Any]) -> None:
    made = admin.post("/webhook-endpoints", json={"url": "https://127.0.0.1/x"})
    path = f"/webhook-endpoints/{made.json()['id']}"
    db.execute("update webhook_endpoints set failing_since = now() where id = %s", (made.json()["id"],))
    headers = MERGE_PATCH | {"If-Match": made.headers["etag"]}
    body = {name: value for name, value in made.json().items() if name != "secret"}
    answer = admin.request("PATCH", path, json=body | {"description": "y"}, headers=headers)
    assert (answer.status_code, answer.json()["description"]) == (200, "y"), answer.text
    assert admin.delete(path, headers={"If-Match": made.headers["etag"]}).status_code == 412
    assert admin.delete(path, headers={"If-Match": answer.headers["etag"]}).status_code == 204


@pytest.mark.parametrize("tag", ['"6f1ed002ab559585"', '"{edit}"', '".{rest}"', '"{edit}{rest}"', '"{rest}.{edit}"'])
def test_tags_of_another_form_match_nothing(agent: Person, new_ticket: New, new_events: Events, tag: str) -> None:
    """Such as those of the release before, which had one part."""
    path = f"/tickets/{new_ticket()['number']}"
    edit, rest = agent.get(path).headers["etag"].strip('"').split(".")
    new_events()
    given = tag.format(edit=edit, rest=rest)
    answer = agent.request("PATCH", path, json={"title": "y"}, headers=MERGE_PATCH | {"If-Match": given})
    assert (answer.status_code, new_events()) == (412, [])
    assert agent.get(path, headers={"If-None-Match": given}).status_code == 200


@pytest.mark.parametrize(("before", "after"), [(a, b) for a, follow in TRANSITIONS.items() for b in follow])
def test_a_ticket_is_moved_by_what_was_read_as_by_its_status_alone(
    agent: Person, new_ticket: New, before: str, after: str
) -> None:
    ended = {"resolution": "fixed", "resolution_note": "In 4.3."}
    one, other = (new_ticket()["number"] for _ in range(2))
    for number in (one, other):
        if before != "open":
            patch(agent, number, status=before, **(ended if before == "resolved" else {}))
    wanted = {"status": after} | (ended if after in ("resolved", "closed") and before != "resolved" else {})
    alone = patch(agent, one, **wanted)
    whole = patch(agent, other, **{**agent.get(f"/tickets/{other}").json(), **wanted})
    for answer in (alone, whole):
        assert (answer.status_code, answer.json()["status"]) == (200, after), answer.text
    for name in ("resolution", "resolution_note"):
        assert alone.json()[name] == whole.json()[name]


def test_ids_are_the_same_in_either_case(agent: Person, requester: Person, new_ticket: New, new_events: Events) -> None:
    number = new_ticket()["number"]
    said = agent.post(f"/tickets/{number}/comments", json={"body": "x"}).json()
    ticket = patch(agent, number, assignee={"id": agent.id}).json()
    new_events()
    reporter = {**ticket["requester"], "id": ticket["requester"]["id"].upper()}
    assert patch(agent, number, requester=reporter).json() == ticket
    path = f"/tickets/{number}/comments/{said['id']}"
    author = {**said["author"], "id": said["author"]["id"].upper()}
    sent = {"body": "x", "id": said["id"].upper(), "author": author}
    assert agent.request("PATCH", path, json=sent, headers=MERGE_PATCH).json() == said
    assert new_events() == []
    other = agent.request("PATCH", path, json={"body": "x", "id": author["id"]}, headers=MERGE_PATCH)
    assert other.json()["errors"][0]["pointer"] == "#/id"


def test_what_was_read_can_be_sent_back_with_a_change_in_it(
    agent: Person, requester: Person, new_ticket: New, new_events: Events
) -> None:
    number = new_ticket()["number"]
    patch(agent, number, assignee={"id": agent.id})
    ticket = sent_back(requester, f"/tickets/{number}", new_events)
    changed = patch(requester, number, **{**ticket, "title": "Anew", "assignee": {**ticket["assignee"], "name": "Old"}})
    assert changed.json()["title"] == "Anew"
    (event,) = new_events()
    assert event["previous"] == {"title": ticket["title"]}
    assert patch(requester, number, **{**changed.json(), "title": "x", "priority": "urgent"}).status_code == 403
    stale = {**ticket, "description": "Over what came since"}
    assert patch(requester, number, **stale).status_code == 412
    stale.pop("version")
    refused = patch(requester, number, **stale)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/updated_at")


def test_an_assignee_is_taken_as_it_is_read(agent: Person, new_ticket: New) -> None:
    number = new_ticket()["number"]
    assert patch(agent, number, assignee=agent.ref).json()["assignee"] == agent.ref


@pytest.mark.parametrize(
    ("value", "pointer", "code", "detail"),
    [
        (7, "#/assignee", "wrong_type", "7 is not an object or null."),
        ("me", "#/assignee", "wrong_type", '"me" is not an object or null.'),
        ({}, "#/assignee/id", "required", "This is required."),
        ({"id": "me"}, "#/assignee/id", "wrong_format", '"me" is not a valid UUID.'),
        ({"id": None}, "#/assignee/id", "wrong_type", "null is not text."),
        ({"id": str(UUID(int=7)), "role": "agent"}, "#/assignee/role", "unknown_field", "There is no property of this"),
        ({"id": str(UUID(int=7)), "name": " \u200b "}, "#/assignee/name", "blank", "This must not be blank."),
        ({"id": str(UUID(int=7)), "name": "x" * 201}, "#/assignee/name", "too_long", f'"{"x" * 79}…'),
    ],
)
def test_a_wrong_assignee_is_told_as_such(
    agent: Person, new_ticket: New, value: Any, pointer: str, code: str, detail: str
) -> None:
    """Although it may be null."""
    refused = patch(agent, new_ticket()["number"], assignee=value)
    assert refused.status_code == 422
    (fault,) = refused.json()["errors"]
    assert (fault["pointer"], fault["code"]) == (pointer, code)
    assert fault["detail"].startswith(detail)


def test_a_requester_is_taken_as_it_is_read(agent: Person, requester: Person, new_ticket: New) -> None:
    assert new_ticket(by=agent, requester=requester.ref)["requester"] == requester.ref
    for odd in ({"id": requester.id, "email": "a@b.example"}, {"name": "Noor"}):
        body = {"type": "bug", "project": "x-x", "title": "x", "description": "", "requester": odd}
        assert agent.post("/tickets", json=body).status_code == 422


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", 1),
        ("type", "support"),
        ("project", "elsewhere"),
        ("channel", "email"),
        ("requester", {"id": "01a20d0a-7980-7957-a49c-3e803f5053e4"}),
        ("external_reference", {"source": "github:o/r", "id": "1"}),
        ("created_at", "2026-11-24T10:00:00Z"),
        ("updated_at", None),
        ("closed_at", "2026-11-24T10:00:00Z"),
    ],
)
def test_what_cannot_be_changed_is_said(
    agent: Person, new_ticket: New, new_events: Events, field: str, value: Any
) -> None:
    ticket = new_ticket(severity="low")
    ticket.pop("version")  # With it, what moves by itself may have moved.
    new_events()
    refused = patch(agent, ticket["number"], **{**ticket, "title": "Anew", field: value})
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert error["pointer"] == f"#/{field}"
    assert error["detail"].startswith("This cannot be changed, and differs from what is there now.")
    assert new_events() == []


def test_an_address_cannot_be_taken_away(admin: Person, sign_in: Callable[..., Person]) -> None:
    person = sign_in("requester")
    refused = admin.request("PATCH", f"/users/{person.id}", json={"email": None}, headers=MERGE_PATCH)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/email")


@pytest.mark.parametrize("number", [1e20, -1e20, 1e22, 1e308, -1e308, 2**64, 2**200])
def test_a_number_that_no_field_holds_is_told_as_such(agent: Person, new_ticket: New, number: float) -> None:
    """However many digits it has, also those that JSON writers do not write."""
    refused = agent.patch(
        f"/tickets/{new_ticket()['number']}", content=b'{"number": %d}' % int(number), headers=MERGE_PATCH
    )
    assert refused.status_code in (400, 422), refused.text
    exponent = agent.patch(
        f"/tickets/{new_ticket()['number']}", content=f'{{"number": {float(number)!r}}}', headers=MERGE_PATCH
    )
    assert exponent.status_code == 422, exponent.text
    (fault,) = exponent.json()["errors"]
    assert fault["code"] in ("too_large", "too_small", "read_only")
