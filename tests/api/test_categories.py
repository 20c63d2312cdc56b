"""Categories: the parts of a project."""

from __future__ import annotations

import secrets
from typing import Any

from test_tickets import MERGE_PATCH, Events, New, patch

from conftest import Person


def change(by: Person, path: str, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    return by.request("PATCH", path, json=fields, headers=MERGE_PATCH | (headers or {}))


def test_create_category(admin: Person, agent: Person, project: str, new_events: Events) -> None:
    path, body = f"/projects/{project}/categories", {"key": "live-tv", "name": "Live TV"}
    new_events()
    assert agent.post(path, json=body).status_code == 403
    assert admin.post("/projects/no-such/categories", json=body).status_code == 404
    response = admin.post(path, json=body)
    assert response.status_code == 201
    category = response.json()
    assert (body | {"project": project, "archived": False, "description": ""}).items() <= category.items()
    read = agent.get(response.headers["location"].removeprefix("/api/v1"))
    assert (read.json(), read.headers["etag"]) == (category, response.headers["etag"])
    (event,) = new_events()
    assert (event["type"], event["data"], event["project"]) == ("category.created", category, project)
    assert admin.post(path, json=body).json()["code"] == "already_exists"


def test_a_repeated_category_is_added_once(admin: Person, project: str) -> None:
    path, key = f"/projects/{project}/categories", {"Idempotency-Key": secrets.token_hex(8)}
    first, again = (admin.post(path, json={"key": "tv", "name": "TV"}, headers=key) for _ in range(2))
    assert (again.status_code, again.json(), again.headers["idempotent-replayed"]) == (201, first.json(), "true")


def test_update_category(admin: Person, agent: Person, project: str, new_events: Events) -> None:
    path = f"/projects/{project}/categories/music"
    before = admin.get(path)
    new_events()
    assert change(agent, path, name="x").status_code == 403
    assert change(admin, path, {"If-Match": '"stale"'}, name="x").status_code == 412
    response = change(admin, path, {"If-Match": before.headers["etag"]}, name="Songs")
    (event,) = new_events()
    assert (event["type"], event["data"], event["previous"]) == (
        "category.updated",
        response.json(),
        {"name": "Music"},
    )
    change(admin, path, name="Songs")
    assert new_events() == []
    assert change(admin, f"/projects/{project}/categories/nope", name="x").status_code == 404


def test_an_archived_category_is_kept_but_not_given(
    admin: Person, agent: Person, project: str, new_ticket: New
) -> None:
    ticket = new_ticket(category="music")
    change(admin, f"/projects/{project}/categories/music", archived=True)
    assert patch(agent, ticket["number"], title="Renamed").json()["category"] == "music"
    assert patch(agent, new_ticket()["number"], category="music").status_code == 422


def test_categories_are_listed_by_key(requester: Person, project: str) -> None:
    assert [c["key"] for c in requester.pages(f"/projects/{project}/categories", limit=1)] == ["movies", "music"]
    assert requester.get("/projects/no-such/categories").status_code == 404
