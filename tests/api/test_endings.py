"""What DELETE leaves behind: where a GET finds it, a second DELETE is no change; where nothing is left, it is 404."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest
from test_tickets import Events, New

from conftest import Person
from judged import whole

ELSEWHERE = {"delete_session", "end_session", "end_other_sessions", "delete_presence"}
"""What test_sessions.py and test_presences.py try: no GET finds a session or a presence by itself."""
DELETED = {
    operation["operationId"]: path
    for path, item in whole()["paths"].items()
    for method, operation in item.items()
    if method == "delete" and operation["operationId"] not in ELSEWHERE
}
LEAVES_NOTHING = {"delete_webhook_endpoint", "delete_view"}

Made = Callable[[], tuple[Person, str]]


@pytest.fixture
def made(admin: Person, agent: Person, requester: Person, new_ticket: New) -> dict[str, Made]:
    """Makes what each operation deletes; gives who deletes it, and where it is."""

    def comment() -> tuple[Person, str]:
        path = f"/tickets/{new_ticket()['number']}/comments"
        return requester, f"{path}/{requester.post(path, json={'body': 'x'}).json()['id']}"

    def token(list_: str, by: Person) -> tuple[Person, str]:
        return by, f"{list_}/{by.post(list_, json={'name': 'x', 'scopes': ['tickets:read']}).json()['id']}"

    def endpoint() -> tuple[Person, str]:
        return (
            admin,
            f"/webhook-endpoints/{admin.post('/webhook-endpoints', json={'url': 'https://127.0.0.1/'}).json()['id']}",
        )

    def invitation() -> tuple[Person, str]:
        guest = {"name": "x", "email": f"{secrets.token_hex(6)}@lumen.example", "role": "agent"}
        return admin, f"/invitations/{admin.post('/invitations', json=guest).json()['id']}"

    machine = admin.post("/users", json={"name": "Robot", "service_account": True}).json()["id"]
    return {
        "delete_comment": comment,
        "revoke_token": lambda: token("/tokens", agent),
        "revoke_user_token": lambda: token(f"/users/{machine}/tokens", admin),
        "delete_webhook_endpoint": endpoint,
        "revoke_invitation": invitation,
        "delete_view": lambda: (agent, f"/views/{agent.post('/views', json={'name': 'x', 'q': ''}).json()['id']}"),
    }


@pytest.mark.parametrize("operation", DELETED)
def test_a_second_delete_is_answered_by_what_is_left(operation: str, made: dict[str, Made], new_events: Events) -> None:
    by, path = made[operation]()
    tag = by.get(path).headers.get("etag")
    new_events()
    headers = {"If-Match": tag} if tag and operation.startswith("delete_") else {}
    assert by.delete(path, headers=headers).status_code == 204
    assert len(new_events()) == 1
    left = by.get(path).status_code
    assert left == (404 if operation in LEAVES_NOTHING else 200)
    # Whoever did not hear the first answer sends the same again, with the version that was read before it.
    for again in (headers, {}):
        assert by.delete(path, headers=again).status_code == (204 if left == 200 else 404)
    assert new_events() == []
