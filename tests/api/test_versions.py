"""Versions: wherever a resource stands, its `version` is what `If-Match` wants, until somebody edits the resource."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from test_feed import end, since
from test_stream import told
from test_tickets import MERGE_PATCH, Events, New, patch

from conftest import Person
from working import read_the_log

Db = psycopg.Connection[dict[str, Any]]


class Resource:
    """A kind of resource: where one is, which list has it, what its event is called, and a field to edit."""

    def __init__(self, path: str, made: dict[str, Any], field: str = "description") -> None:
        self.path, self.list, self.made, self.field = path, path.rpartition("/")[0], made, field

    def is_it(self, other: dict[str, Any]) -> bool:
        """Whether this body shows it."""
        known = {"id", "key", "number", "project", "ticket_number"} & self.made.keys() - {"version"}
        return all(other.get(name) == self.made[name] for name in known)


@pytest.fixture
def resources(admin: Person, project: str, new_ticket: New) -> Callable[[], dict[str, Resource]]:
    """Make one resource of each kind that carries a version."""

    def post(list_: str, key: str, body: dict[str, Any], field: str = "description") -> Resource:
        made = admin.post(list_, json=body)
        assert made.status_code == 201, made.text
        return Resource(f"{list_}/{made.json()[key]}", made.json(), field)

    def make() -> dict[str, Resource]:
        number = new_ticket()["number"]
        return {
            "ticket": Resource(f"/tickets/{number}", admin.get(f"/tickets/{number}").json()),
            "comment": post(f"/tickets/{number}/comments", "id", {"body": "x"}, "body"),
            "user": post("/users", "id", {"name": "Robot", "service_account": True}, "name"),
            "project": post("/projects", "key", {"key": f"{project}-x", "name": "X", "visibility": "public"}),
            "category": post(f"/projects/{project}/categories", "key", {"key": "x-x", "name": "X"}),
            "webhook": post("/webhook-endpoints", "id", {"url": "https://127.0.0.1/x"}),
        }

    return make


def everywhere(admin: Person, db: Db, made: Callable[[], dict[str, Resource]]) -> dict[str, dict[str, Any]]:
    """Resources by their kinds, and for each its body in every place that shows it."""
    db.execute("delete from webhook_endpoints")
    types = [f"{noun}.created" for noun in ("ticket", "comment", "user", "project", "category", "webhook")]
    hook = {"url": "https://127.0.0.1/all", "event_types": types, "include_internal": True}
    endpoint = admin.post("/webhook-endpoints", json=hook).json()["id"]
    cursor = end(admin)
    found = made()

    def data(events: list[dict[str, Any]], noun: str) -> Any:
        return next(each["data"] for each in events if each["type"] == f"{noun}.created" and is_it(each, noun))

    def is_it(event: dict[str, Any], noun: str) -> bool:
        return found[noun].is_it(event["data"])

    def complete(events: list[dict[str, Any]]) -> bool:
        return all(any(each["type"] == f"{noun}.created" and is_it(each, noun) for each in events) for noun in found)

    feed = since(admin, cursor, until=complete)
    with admin.follow(cursor) as stream:
        streamed: list[Any] = []
        while not complete(streamed):
            streamed += told(stream, 1)
    read_the_log()
    deliveries = [admin.get(f"/webhook-deliveries/{each}").json() for each in _ids(admin, endpoint)]
    messages = [json.loads(each["body"]) for each in deliveries]
    shown = {}
    for noun, resource in found.items():
        shown[noun] = {
            "made": resource.made,
            "alone": admin.get(resource.path).json(),
            "listed": next(each for each in admin.pages(resource.list) if resource.is_it(each)),
            "in the feed": data(feed, noun),
            "in the stream": data(streamed, noun),
            "in a message": data(messages, noun),
        }
        if noun in ("ticket", "comment"):
            timeline = admin.pages(f"/tickets/{found['ticket'].made['number']}/events")
            shown[noun]["in the timeline"] = data(timeline, noun)
    return shown


def _ids(admin: Person, endpoint: str) -> list[str]:
    return [each["id"] for each in admin.pages("/webhook-deliveries", endpoint_id=endpoint)]


def test_whoever_has_read_a_resource_anywhere_can_write_until_somebody_else_does(
    admin: Person, resources: Callable[[], dict[str, Resource]], new_events: Events, db: Db
) -> None:
    made: dict[str, Resource] = {}

    def make() -> dict[str, Resource]:
        made.update(resources())
        return made

    shown = everywhere(admin, db, make)
    for noun, resource in made.items():
        new_events()
        tag = admin.get(resource.path).headers["etag"]
        same = {resource.field: resource.made[resource.field]}

        def write(version: str, fields: dict[str, Any], path: str = resource.path) -> int:
            return admin.request("PATCH", path, json=fields, headers=MERGE_PATCH | {"If-Match": version}).status_code

        for place, body in shown[noun].items():
            version = body["version"]
            # A comment has moved the ticket that it is on.
            if noun != "ticket" or place in ("alone", "listed"):
                assert f'"{version}"' == tag, (noun, place)
            for form in (version, f'"{version}"', f'"other", {version}'):
                assert write(form, same) == 200, (noun, place, form)
            sent = admin.request("PATCH", resource.path, json=same | {"version": version}, headers=MERGE_PATCH)
            assert (sent.status_code, sent.headers["etag"]) == (200, tag), (noun, place)
        assert new_events() == []
        edit = admin.request("PATCH", resource.path, json={resource.field: "edited"}, headers=MERGE_PATCH)
        assert edit.json()["version"] == edit.headers["etag"].strip('"') != tag.strip('"')
        (event,) = new_events()
        assert event["data"]["version"] == edit.json()["version"]
        for place, body in shown[noun].items():
            assert write(body["version"], same) == 412, (noun, place)
            sent = admin.request("PATCH", resource.path, json=same | {"version": body["version"]}, headers=MERGE_PATCH)
            assert (sent.status_code, sent.json()["code"]) == (412, "precondition_failed"), (noun, place)
        assert new_events() == []


def test_a_rename_and_a_comment_are_no_edits_of_the_ticket_that_an_event_shows(
    admin: Person, requester: Person, sign_in: Callable[..., Person], new_ticket: New, new_events: Events
) -> None:
    agent = sign_in("agent")
    number = new_ticket()["number"]
    path = f"/tickets/{number}"
    new_events()
    patch(admin, number, assignee={"id": agent.id})
    (event,) = new_events()
    version = event["data"]["version"]
    assert version == admin.get(path).json()["version"]
    admin.request("PATCH", f"/users/{agent.id}", json={"name": "Renamed"}, headers=MERGE_PATCH)
    assert requester.post(f"{path}/comments", json={"body": "x"}).status_code == 201
    now = admin.get(path).json()
    assert now["version"] != version
    assert now["version"].partition(".")[0] == version.partition(".")[0]
    assert admin.get(path, headers={"If-None-Match": version}).status_code == 200
    assert admin.get(path, headers={"If-None-Match": now["version"]}).status_code == 304
    assert patch(admin, number, {"If-Match": version}, title="y").status_code == 200


def test_of_two_who_send_back_what_they_read_the_second_is_told(agent: Person, new_ticket: New) -> None:
    """Without a header: the version in the body says what was read."""
    number = new_ticket()["number"]
    read = agent.get(f"/tickets/{number}").json()
    first = patch(agent, number, **read | {"title": "one"})
    assert (first.status_code, first.json()["title"]) == (200, "one")
    assert patch(agent, number, **read | {"title": "two"}).status_code == 412
    other = patch(agent, number, {"If-Match": first.json()["version"]}, **read | {"title": "three"})
    assert (other.status_code, other.json()["title"]) == (200, "three"), "the header alone counts"
    assert patch(agent, number, {"If-Match": "*"}, version=read["version"], title="four").status_code == 200
    for odd in ("", "x", "*", read["version"] + "0" * 80):
        assert patch(agent, number, version=odd, title="five").status_code in (412, 422), odd
    assert patch(agent, number, version=None, title="five").status_code == 422
    assert agent.get(f"/tickets/{number}").json()["title"] == "four"


def test_a_replayed_answer_has_the_version_of_the_first(admin: Person, project: str, agent: Person) -> None:
    body = {"type": "support", "project": project, "title": "x", "description": "y"}
    key = {"Idempotency-Key": f"once-{project}"}
    first = admin.post("/tickets", json=body, headers=key)
    patch(agent, first.json()["number"], title="edited")
    again = admin.post("/tickets", json=body, headers=key)
    assert again.headers["idempotent-replayed"] == "true"
    assert (again.json(), again.headers["etag"]) == (first.json(), first.headers["etag"])
    assert first.headers["etag"] == f'"{first.json()["version"]}"'


def test_a_version_in_a_patch_may_be_the_etag_as_it_came(agent: Person, new_ticket: New) -> None:
    number = new_ticket()["number"]
    tag = agent.get(f"/tickets/{number}").headers["ETag"]
    assert patch(agent, number, version=tag, title="New").status_code == 200
    assert patch(agent, number, version=tag, title="Newer").status_code == 412
    for version in ("", " ", "*", f"W/{tag}", '"', "é", f"{tag}, {tag}"):
        refused = patch(agent, number, version=version, title="Newer")
        assert refused.status_code == 422, version
        assert [fault["code"] for fault in refused.json()["errors"]] == ["wrong_format"], version


def test_a_tag_with_commas_is_one_tag(agent: Person, new_ticket: New) -> None:
    path = f"/tickets/{new_ticket()['number']}"
    version = agent.get(path).json()["version"]
    for held, status in ((f'"a,{version},b"', 200), (f'"a", "{version}"', 304), (f'W/"{version}"', 304), ('"', 200)):
        assert agent.get(path, headers={"If-None-Match": held}).status_code == status, held
