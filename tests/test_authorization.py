"""Who may call what: every operation of the contract by every kind of caller, in one table."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from conftest import Person
from judged import Judged
from ticketing import resources

DOCUMENT = json.loads((resources.SPEC / "dist" / "openapi.json").read_text())
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation["security"][0]["bearer"])
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in ("get", "post", "patch", "delete", "put")
}
#: What each operation answers to the owner of what it is about, another requester, an agent and an admin.
EXPECTED = {
    "get_me": (200, 200, 200, 200),
    "list_users": (403, 403, 200, 200),
    "create_user": (403, 403, 403, 201),
    "get_user": (200, 404, 200, 200),
    "update_user": (403, 403, 403, 200),
    "list_tokens": (200, 200, 200, 200),
    "create_token": (201, 201, 201, 201),
    "get_token": (200, 404, 404, 404),
    "revoke_token": (204, 404, 404, 404),
    "list_projects": (200, 200, 200, 200),
    "create_project": (403, 403, 403, 201),
    "get_project": (200, 200, 200, 200),
    "update_project": (403, 403, 403, 200),
    "list_categories": (200, 200, 200, 200),
    "create_category": (403, 403, 403, 201),
    "get_category": (200, 200, 200, 200),
    "update_category": (403, 403, 403, 200),
    "list_tickets": (200, 200, 200, 200),
    "create_ticket": (201, 201, 201, 201),
    "get_ticket": (200, 404, 200, 200),
    "update_ticket": (200, 404, 200, 200),
    "list_comments": (200, 404, 200, 200),
    "create_comment": (201, 404, 201, 201),
    "get_comment": (200, 404, 200, 200),
    "update_comment": (200, 404, 403, 403),
    "delete_comment": (204, 404, 403, 204),
    "list_ticket_events": (200, 404, 200, 200),
    "list_events": (200, 200, 200, 200),
    "stream_events": (200, 200, 200, 200),
    "list_jobs": (403, 403, 403, 200),
    "get_job": (403, 403, 403, 200),
    "retry_job": (403, 403, 403, 200),
    "cancel_job": (403, 403, 403, 200),
    "list_queues": (403, 403, 403, 200),
    "pause_queue": (403, 403, 403, 200),
    "resume_queue": (403, 403, 403, 200),
    "list_schedules": (403, 403, 403, 200),
}


@dataclass
class World:
    """One of each thing, the requester's where things have owners."""

    project: str
    number: int
    comment_id: str
    token_id: str
    user_id: str
    job_id: str

    def call(self, operation_id: str, by: Judged, headers: dict[str, str] | None = None) -> Any:
        method, template, _ = OPERATIONS[operation_id]
        path = template.format(
            project_key=self.project,
            category_key="music",
            number=self.number,
            comment_id=self.comment_id,
            token_id=self.token_id,
            user_id=self.user_id,
            job_id=self.job_id,
            queue_name="default",
        )
        body = self.bodies().get(operation_id)
        headers = dict(headers or {})
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        return by.request(method, path, headers=headers, **({"json": body} if body else {}))

    def bodies(self) -> dict[str, Any]:
        ticket = {"type": "support", "project": self.project, "title": "x", "description": ""}
        return {
            "create_user": {"name": "x", "email": f"{secrets.token_hex(6)}@lumen.example"},
            "update_user": {"active": True},
            "create_token": {"name": "x", "scopes": ["tickets:read"]},
            "create_project": {"key": f"p-{secrets.token_hex(6)}", "name": "x"},
            "update_project": {"name": "y"},
            "create_category": {"key": f"c-{secrets.token_hex(6)}", "name": "x"},
            "update_category": {"name": "y"},
            "create_ticket": ticket,
            "update_ticket": {"title": "y"},
            "create_comment": {"body": "x"},
            "update_comment": {"body": "y"},
        }


@pytest.fixture
def world(
    requester: Person, project: str, new_ticket: Callable[..., dict[str, Any]], db: psycopg.Connection[dict[str, Any]]
) -> World:
    number = new_ticket()["number"]
    comment = requester.post(f"/tickets/{number}/comments", json={"body": "x"}).json()
    token = requester.post("/tokens", json={"name": "x", "scopes": ["tickets:read"]}).json()
    job = db.execute("select enqueue_job('test.nothing', '{}', run_at => now() + interval '1 day') as id").fetchone()
    assert job
    return World(project, number, comment["id"], token["id"], requester.id, str(job["id"]))


def test_the_table_is_complete() -> None:
    assert EXPECTED.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("operation_id", OPERATIONS)
@pytest.mark.parametrize(("column", "role"), list(enumerate(("requester", "stranger", "agent", "admin"))))
def test_role(request: pytest.FixtureRequest, world: World, operation_id: str, column: int, role: str) -> None:
    response = world.call(operation_id, request.getfixturevalue(role))
    assert response.status_code == EXPECTED[operation_id][column], response.text


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_scope(sign_in: Callable[..., Person], world: World, operation_id: str) -> None:
    """An admin's token without the operation's scope is refused, whatever else it may do."""
    (needed,) = OPERATIONS[operation_id][2]
    others = tuple(scope for scope in ("tickets:read", "tickets:write", "admin") if scope != needed)
    response = world.call(operation_id, sign_in("admin", scopes=others))
    assert (response.status_code, response.json()["code"]) == (403, "insufficient_scope")
    assert f'scope="{needed}"' in response.headers["www-authenticate"]


@pytest.fixture(scope="session")
def dead_tokens(
    admin: Person, sign_in: Callable[..., Person], db: psycopg.Connection[Any]
) -> dict[str, dict[str, str]]:
    """Headers of callers who are nobody: without a token, or with one that holds no more."""
    made = {}
    for kind, change in (
        ("expired", "update tokens set expires_at = now() where user_id = %s"),
        ("revoked", "update tokens set revoked_at = now() where user_id = %s"),
        ("inactive", "update users set active = false where id = %s"),
    ):
        person = sign_in("admin")
        db.execute(change, (person.id,))
        made[kind] = {"Authorization": f"Bearer {person.token}"}
    return made | {"none": {}, "unknown": {"Authorization": f"Bearer {admin.token[:-1]}"}}


@pytest.mark.parametrize("operation_id", OPERATIONS)
@pytest.mark.parametrize("kind", ["none", "unknown", "expired", "revoked", "inactive"])
def test_nobody(
    anonymous: Judged, dead_tokens: dict[str, dict[str, str]], world: World, operation_id: str, kind: str
) -> None:
    response = world.call(operation_id, anonymous, dead_tokens[kind])
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
