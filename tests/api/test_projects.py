"""Projects: their settings, and who sees which."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from test_tickets import MERGE_PATCH, Events

from conftest import Person


def change(by: Person, key: str, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    return by.request("PATCH", f"/projects/{key}", json=fields, headers=MERGE_PATCH | (headers or {}))


def test_create_project(admin: Person, new_events: Events) -> None:
    body = {"key": f"p-{secrets.token_hex(4)}", "name": "Media server", "ticket_types": ["bug"]}
    response = admin.post("/projects", json=body)
    assert response.status_code == 201
    project = response.json()
    assert (
        body | {"visibility": "private", "language": "en", "archived": False, "description": ""}
    ).items() <= project.items()
    read = admin.get(response.headers["location"].removeprefix("/api/v1"))
    assert (read.json(), read.headers["etag"]) == (project, response.headers["etag"])
    (event,) = new_events()
    assert (event["type"], event["data"], event["project"]) == ("project.created", project, body["key"])
    assert admin.post("/projects", json=body).json()["code"] == "already_exists"
    assert new_events() == []


def test_a_repeated_project_is_added_once(admin: Person) -> None:
    body = {"key": f"p-{secrets.token_hex(4)}", "name": "Media server"}
    key = {"Idempotency-Key": secrets.token_hex(8)}
    first, again = (admin.post("/projects", json=body, headers=key) for _ in range(2))
    assert (again.status_code, again.json(), again.headers["idempotent-replayed"]) == (201, first.json(), "true")


def test_a_private_project_is_for_staff(admin: Person, agent: Person, requester: Person, project: str) -> None:
    change(admin, project, visibility="private")
    assert agent.get(f"/projects/{project}").status_code == 200
    for path in (f"/projects/{project}", f"/projects/{project}/categories", f"/projects/{project}/categories/music"):
        assert requester.get(path).status_code == 404
    assert change(requester, project, name="x").status_code == 404
    assert project not in [p["key"] for p in requester.pages("/projects", limit=100)]


def test_update_project(admin: Person, agent: Person, project: str, new_events: Events) -> None:
    before = admin.get(f"/projects/{project}")
    new_events()
    assert change(agent, project, name="x").status_code == 403
    assert change(admin, project, {"If-Match": '"stale"'}, name="x").status_code == 412
    fields = {"name": "New", "ticket_types": ["support"], "language": "de", "archived": True}
    response = change(admin, project, {"If-Match": before.headers["etag"]}, **fields)
    assert fields.items() <= response.json().items()
    (event,) = new_events()
    assert (event["type"], event["data"]) == ("project.updated", response.json())
    assert event["previous"] == {name: before.json()[name] for name in fields}
    change(admin, project, name="New")
    assert new_events() == []


def test_an_archived_project_takes_no_tickets(admin: Person, agent: Person, project: str) -> None:
    change(admin, project, archived=True)
    body = {"type": "bug", "project": project, "title": "x", "description": ""}
    assert agent.post("/tickets", json=body).json()["errors"][0]["pointer"] == "#/project"


def test_projects_are_listed_by_key(requester: Person, project: str) -> None:
    keys = [p["key"] for p in requester.pages("/projects", limit=2)]
    assert project in keys
    assert keys == sorted(keys)


@pytest.mark.parametrize("key", ["me", "none"])
def test_words_of_filters_are_no_keys(admin: Person, project: str, key: str, new_events: Events) -> None:
    for path in ("/projects", f"/projects/{project}/categories"):
        response = admin.post(path, json={"key": key, "name": "x"})
        assert response.status_code == 422
        (fault,) = response.json()["errors"]
        assert (fault["pointer"], fault["detail"].startswith(f"'{key}' stands for something else")) == ("#/key", True)
    assert new_events() == []


@pytest.mark.parametrize(
    "fields", [{"key": "Upper"}, {"key": "a"}, {"name": ""}, {"ticket_types": []}, {"language": "xx"}, {"x": 1}]
)
def test_what_a_project_may_not_be(admin: Person, fields: dict[str, Any]) -> None:
    assert admin.post("/projects", json={"key": "ok-key", "name": "x"} | fields).status_code == 422
