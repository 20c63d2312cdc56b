"""Users: who may add, see and change whom."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from conftest import Person
from test_tickets import MERGE_PATCH, Events


def address() -> str:
    return f"{secrets.token_hex(6)}@lumen.example"


def change(by: Person, user_id: str, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    return by.request("PATCH", f"/users/{user_id}", json=fields, headers=MERGE_PATCH | (headers or {}))


def test_create_user(admin: Person, new_events: Events) -> None:
    body = {"name": "Noor Haddad", "email": address(), "role": "agent"}
    response = admin.post("/users", json=body)
    assert response.status_code == 201
    user = response.json()
    assert body.items() <= user.items()
    assert (user["active"], user["service_account"]) == (True, False)
    read = admin.get(response.headers["location"].removeprefix("/api/v1"))
    assert (read.json(), read.headers["etag"]) == (user, response.headers["etag"])
    (event,) = new_events()
    assert (event["type"], event["data"], event["audience"]) == ("user.created", user, "internal")


def test_a_service_account_needs_no_email(admin: Person) -> None:
    user = admin.post("/users", json={"name": "ci", "service_account": True, "role": "agent"}).json()
    assert (user["email"], user["service_account"]) == (None, True)
    assert admin.post("/users", json={"name": "person"}).status_code == 422


def test_an_email_is_used_once_whatever_its_case(admin: Person, new_events: Events) -> None:
    email = address()
    assert admin.post("/users", json={"name": "A", "email": email}).status_code == 201
    new_events()
    assert admin.post("/users", json={"name": "B", "email": email.upper()}).status_code == 409
    other = admin.post("/users", json={"name": "C", "email": address()}).json()
    new_events()
    assert change(admin, other["id"], email=email).status_code == 409
    assert new_events() == []


def test_a_repeated_user_is_added_once(admin: Person) -> None:
    body, key = {"name": "A", "email": address()}, {"Idempotency-Key": secrets.token_hex(8)}
    first, again = (admin.post("/users", json=body, headers=key) for _ in range(2))
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["etag"] == first.headers["etag"]


@pytest.mark.parametrize("role", ["agent", "requester"])
def test_only_admins_add_and_change_users(sign_in: Callable[..., Person], role: str) -> None:
    by = sign_in(role)
    assert by.post("/users", json={"name": "A", "email": address()}).status_code == 403
    assert change(by, by.id, role="admin").status_code == 403


def test_who_sees_whom(agent: Person, requester: Person) -> None:
    assert agent.get(f"/users/{requester.id}").json()["email"]
    assert requester.get(f"/users/{requester.id}").json()["name"] == requester.name
    assert requester.get(f"/users/{agent.id}").status_code == 404
    assert requester.get("/users").status_code == 403


def test_update_user(admin: Person, sign_in: Callable[..., Person], new_events: Events) -> None:
    person = sign_in("requester")
    before = admin.get(f"/users/{person.id}")
    new_events()
    assert change(admin, person.id, {"If-Match": '"stale"'}, name="x").status_code == 412
    response = change(admin, person.id, {"If-Match": before.headers["etag"]}, role="agent", name=before.json()["name"])
    assert response.json()["role"] == "agent"
    (event,) = new_events()
    assert (event["type"], event["previous"], event["data"]) == (
        "user.updated",
        {"role": "requester"},
        response.json(),
    )
    assert person.get("/users").status_code == 200
    assert change(admin, "0193a1f2-0000-7000-8000-000000000000", name="x").status_code == 404


def test_an_inactive_user_is_signed_out(admin: Person, sign_in: Callable[..., Person]) -> None:
    person = sign_in("agent")
    change(admin, person.id, active=False)
    assert person.get("/me").status_code == 401


def test_an_admin_keeps_their_own_rights(admin: Person) -> None:
    assert change(admin, admin.id, role="agent").status_code == 409
    assert change(admin, admin.id, active=False).status_code == 409


def test_list_users(admin: Person, agent: Person) -> None:
    email = address()
    added = [admin.post("/users", json={"name": f"L{n}", "email": address()}).json()["id"] for n in range(5)]
    listed = [user["id"] for user in agent.pages("/users", limit=3)]
    assert [user_id for user_id in listed if user_id in added] == added
    assert agent.pages("/users", email=email) == []
    assert {user["role"] for user in agent.pages("/users", role="admin")} == {"admin"}


def test_me(agent: Person) -> None:
    me = agent.get("/me").json()
    assert (me["user"]["id"], me["user"]["role"]) == (agent.id, "agent")
    assert me["token"]["scopes"] == ["tickets:read", "tickets:write", "admin"]
    assert agent.token not in agent.get("/me").text
