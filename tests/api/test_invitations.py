"""Invitations: whom admins ask to join, with which rights, and what becomes of it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from test_tickets import MERGE_PATCH, Events

from conftest import Person
from judged import Judged

Db = psycopg.Connection[dict[str, Any]]
Invited = Callable[..., dict[str, Any]]


@pytest.fixture
def invited(admin: Person) -> Invited:
    """Have the admin invite somebody; gives the invitation."""

    def invited(by: Person = admin, **fields: Any) -> dict[str, Any]:
        answer = by.post("/invitations", json={"name": "Lena Vogt", "email": address()} | fields)
        assert answer.status_code == 201, answer.text
        invitation: dict[str, Any] = answer.json()
        return invitation

    return invited


def address() -> str:
    return f"{secrets.token_hex(6)}@lumen.example"


def mails(db: Db, to: str) -> list[dict[str, Any]]:
    """What was sent there, the newest first."""
    return db.execute("select * from mails where to_email = %s order by id desc", (to,)).fetchall()


def secret(db: Db, to: str) -> str:
    """What the link holds that was sent there last."""
    (link,) = re.findall(r"https?://\S+", mails(db, to)[0]["body"])[:1]
    assert urlsplit(link).path == "/invitation"
    (held,) = parse_qs(urlsplit(str(link)).fragment)["token"]
    return str(held)


def accept(browser: Judged, invitation: str, **fields: str) -> Any:
    return browser.post("/sessions", json={"invitation": invitation} | fields)


# Inviting ------------------------------------------------------------------------------------------------------------


def test_create_invitation(admin: Person, project: str, new_events: Events, db: Db) -> None:
    body: dict[str, Any] = {
        "name": "Lena Vogt",
        "email": address(),
        "role": "agent",
        "projects": [project],
        "locale": "de",
    }
    answer = admin.post("/invitations", json=body)
    assert answer.status_code == 201
    invitation = answer.json()
    assert body.items() <= invitation.items()
    assert (invitation["status"], invitation["user"], invitation["accepted_at"]) == ("pending", None, None)
    assert invitation["created_by"] == {"id": admin.id, "name": admin.name}
    read = admin.get(answer.headers["location"].removeprefix("/api/v1"))
    assert (read.json(), read.headers["etag"]) == (invitation, answer.headers["etag"])
    (event,) = new_events()
    assert (event["type"], event["data"], event["internal"]) == ("invitation.created", invitation, True)
    (mail,) = mails(db, body["email"])
    assert (mail["template"], mail["to_name"], mail["locale"]) == ("invitation", "Lena Vogt", "de")
    assert admin.name in mail["subject"]


def test_what_the_link_holds_is_nowhere_but_in_the_mail(
    admin: Person, invited: Invited, new_events: Events, db: Db
) -> None:
    invitation = invited()
    held = secret(db, invitation["email"])
    assert len(held) > 30
    assert held not in str(new_events())
    assert held not in admin.get(f"/invitations/{invitation['id']}").text
    (row,) = db.execute("select i::text as text from invitations i where id = %s", (invitation["id"],)).fetchall()
    assert held not in row["text"]


def test_who_is_a_user_already_is_not_invited(
    admin: Person, sign_in: Callable[..., Person], new_events: Events, db: Db
) -> None:
    person = sign_in("requester")
    email = admin.get(f"/users/{person.id}").json()["email"]
    machine = {"name": "ci", "service_account": True, "email": address()}
    assert admin.post("/users", json=machine).status_code == 201
    new_events()
    for taken in (email, email.upper(), machine["email"]):
        answer = admin.post("/invitations", json={"name": "x", "email": taken})
        assert (answer.status_code, answer.json()["code"]) == (409, "already_exists")
    assert new_events() == []
    assert mails(db, email) == []


def test_an_address_is_invited_once_at_a_time(admin: Person, invited: Invited, new_events: Events, db: Db) -> None:
    first = invited()
    new_events()
    again = {"name": "x", "email": first["email"].upper()}
    assert admin.post("/invitations", json=again).json()["code"] == "already_exists"
    db.execute("update invitations set expires_at = now() where id = %s", (first["id"],))
    assert admin.post("/invitations", json=again).status_code == 409, "it can be sent again"
    assert new_events() == []
    assert admin.delete(f"/invitations/{first['id']}").status_code == 204
    assert admin.post("/invitations", json=again).status_code == 201


def test_of_two_who_invite_an_address_at_once_one_does(admin: Person, new_events: Events) -> None:
    email = address()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(admin.post, "/invitations", json={"name": "x", "email": email}) for _ in range(4)]
        assert sorted(each.result().status_code for each in asked) == [201, 409, 409, 409]
    assert [event["type"] for event in new_events()] == ["invitation.created"]


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"role": "agent", "projects": ["no-such"]}, "#/projects/0", "unknown"),
        ({"role": "requester", "projects": ["no-such"]}, "#/projects", "incompatible"),
        ({"role": "admin", "projects": ["no-such"]}, "#/projects", "incompatible"),
        ({"role": "owner"}, "#/role", "not_allowed"),
        ({"email": "nobody"}, "#/email", "wrong_format"),
        ({"name": " "}, "#/name", None),
        ({"locale": "tlh"}, "#/locale", "not_allowed"),
    ],
)
def test_what_cannot_be(
    admin: Person, new_events: Events, fields: dict[str, Any], pointer: str, code: str | None
) -> None:
    answer = admin.post("/invitations", json={"name": "x", "email": address()} | fields)
    assert answer.status_code == 422
    assert {fault["pointer"] for fault in answer.json()["errors"]} == {pointer}
    assert code in (None, answer.json()["errors"][0]["code"])
    assert new_events() == []


def test_list_invitations(admin: Person, invited: Invited, db: Db) -> None:
    pending, expired, revoked = (invited() for _ in range(3))
    db.execute("update invitations set expires_at = now() where id = %s", (expired["id"],))
    admin.delete(f"/invitations/{revoked['id']}")
    ours = [each["id"] for each in (pending, expired, revoked)]

    def listed(**filters: Any) -> list[str]:
        return [each["id"] for each in admin.pages("/invitations", limit=2, **filters) if each["id"] in ours]

    assert listed() == ours
    by_status = [listed(status=word) for word in ("pending", "expired", "revoked", "accepted")]
    assert by_status == [*([each] for each in ours), []]
    assert listed(status="pending,revoked") == [pending["id"], revoked["id"]]


# Sending again, and revoking -----------------------------------------------------------------------------------------


def test_resend_invitation(admin: Person, invited: Invited, anonymous: Judged, new_events: Events, db: Db) -> None:
    first = invited()
    old = secret(db, first["email"])
    db.execute("update invitations set expires_at = now() where id = %s", (first["id"],))
    new_events()
    answer = admin.post(f"/invitations/{first['id']}/mails")
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    assert answer.json() == admin.get(f"/invitations/{first['id']}").json()
    (event,) = new_events()
    assert (event["type"], event["data"]) == ("invitation.resent", answer.json())
    assert event["previous"].keys() == {"sent_at", "expires_at"}
    assert len(mails(db, first["email"])) == 2
    new = secret(db, first["email"])
    assert new != old
    assert accept(anonymous, old).status_code == 403
    assert accept(anonymous, new).status_code == 201


def test_revoke_invitation(admin: Person, invited: Invited, anonymous: Judged, new_events: Events, db: Db) -> None:
    invitation = invited()
    new_events()
    for _ in range(2):
        assert admin.delete(f"/invitations/{invitation['id']}").status_code == 204
    (event,) = new_events()
    assert (event["type"], event["previous"]) == ("invitation.revoked", {"revoked_at": None})
    assert event["data"] == admin.get(f"/invitations/{invitation['id']}").json()
    assert event["data"]["status"] == "revoked"
    assert accept(anonymous, secret(db, invitation["email"])).status_code == 403
    refused = admin.post(f"/invitations/{invitation['id']}/mails")
    assert (refused.status_code, refused.json()["code"]) == (409, "invitation_ended")
    assert new_events() == []


def test_what_is_not_there(admin: Person) -> None:
    path = f"/invitations/{secrets.token_hex(4)}-0000-7000-8000-000000000000"
    calls = (("GET", path), ("DELETE", path), ("POST", f"{path}/mails"))
    assert [admin.request(*call).status_code for call in calls] == [404] * 3


def test_who_is_no_admin_any_more_has_invited_nobody(
    admin: Person, sign_in: Callable[..., Person], invited: Invited, anonymous: Judged, new_events: Events, db: Db
) -> None:
    other = sign_in("admin")
    theirs, mine = invited(by=other, role="admin"), invited()
    new_events()
    admin.request("PATCH", f"/users/{other.id}", json={"role": "agent"}, headers=MERGE_PATCH)
    assert [event["type"] for event in new_events()] == ["user.updated", "token.revoked", "invitation.revoked"]
    assert accept(anonymous, secret(db, theirs["email"])).status_code == 403
    assert admin.get(f"/invitations/{mine['id']}").json()["status"] == "pending"


# Accepting -----------------------------------------------------------------------------------------------------------


def test_who_accepts_is_a_user_with_these_rights_and_signed_in(
    invited: Invited, anonymous: Judged, admin: Person, project: str, new_events: Events, db: Db
) -> None:
    invitation = invited(role="agent", projects=[project], locale="de")
    new_events()
    answer = accept(anonymous, secret(db, invitation["email"]), name="Lena V.")
    assert answer.status_code == 201, answer.text
    user = answer.json()["user"]
    assert (user["name"], user["role"], user["email"]) == ("Lena V.", "agent", invitation["email"])
    assert answer.headers["set-cookie"]
    assert answer.json()["csrf_token"]
    created, accepted, *_ = new_events()
    assert (created["type"], created["data"], str(created["actor_id"])) == ("user.created", user, user["id"])
    assert (accepted["type"], str(accepted["actor_id"])) == ("invitation.accepted", user["id"])
    assert accepted["data"] == admin.get(f"/invitations/{invitation['id']}").json()
    assert accepted["data"]["user"] == {"id": user["id"], "name": "Lena V."}
    rights = db.execute(
        "select u.everywhere, u.locale, array(select project from project_staff s where s.user_id = u.id) as projects"
        " from users u where u.id = %s",
        (user["id"],),
    ).fetchone()
    assert rights == {"everywhere": False, "locale": "de", "projects": [project]}


def test_without_a_name_it_is_that_of_the_invitation(invited: Invited, anonymous: Judged, db: Db) -> None:
    invitation = invited(role="agent")
    user = accept(anonymous, secret(db, invitation["email"])).json()["user"]
    assert user["name"] == "Lena Vogt"
    assert db.execute("select everywhere from users where id = %s", (user["id"],)).fetchone() == {"everywhere": True}


def test_a_link_holds_once_however_many_follow_it_at_once(
    invited: Invited, anonymous: Judged, admin: Person, new_events: Events, db: Db
) -> None:
    invitation = invited()
    held = secret(db, invitation["email"])
    new_events()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(accept, anonymous, held) for _ in range(4)]
        assert sorted(each.result().status_code for each in asked) == [201, 403, 403, 403]
    assert [event["type"] for event in new_events()][:2] == ["user.created", "invitation.accepted"]
    assert db.execute("select count(*) from users where email = %s", (invitation["email"],)).fetchone() == {"count": 1}
    ended = admin.delete(f"/invitations/{invitation['id']}")
    assert (ended.status_code, ended.json()["code"]) == (409, "invitation_ended")


def test_what_does_not_hold(invited: Invited, anonymous: Judged, new_events: Events, db: Db) -> None:
    invitation = invited()
    held = secret(db, invitation["email"])
    new_events()
    for given in (held[:-1], held + "x", held.swapcase(), "x", "inv_"):
        assert accept(anonymous, given).status_code == 403
    db.execute("update invitations set expires_at = now() where id = %s", (invitation["id"],))
    assert accept(anonymous, held).status_code == 403
    assert new_events() == []
    assert db.execute("select from users where email = %s", (invitation["email"],)).fetchall() == []


def test_who_was_deactivated_before_comes_back_with_the_role_of_the_invitation(
    admin: Person, sign_in: Callable[..., Person], anonymous: Judged, new_events: Events, db: Db
) -> None:
    person = sign_in("agent")
    email = admin.get(f"/users/{person.id}").json()["email"]
    admin.request("PATCH", f"/users/{person.id}", json={"active": False}, headers=MERGE_PATCH)
    assert admin.post("/invitations", json={"name": "x", "email": email}).status_code == 201
    new_events()
    user = accept(anonymous, secret(db, email)).json()["user"]
    assert (user["id"], user["active"], user["role"], user["name"]) == (person.id, True, "requester", person.name)
    updated, accepted, *_ = new_events()
    assert (updated["type"], updated["previous"]) == ("user.updated", {"active": False, "role": "agent"})
    assert accepted["type"] == "invitation.accepted"
    assert person.get("/me").status_code == 401, "their tokens ended for good"


def test_who_is_deactivated_after_that_does_not_come_back(
    admin: Person, sign_in: Callable[..., Person], invited: Invited, anonymous: Judged, db: Db
) -> None:
    invitation = invited()
    body = {"name": "Lena", "email": invitation["email"]}
    user_id = admin.post("/users", json=body).json()["id"]
    admin.request("PATCH", f"/users/{user_id}", json={"active": False}, headers=MERGE_PATCH)
    assert admin.get(f"/invitations/{invitation['id']}").json()["status"] == "revoked"
    assert accept(anonymous, secret(db, invitation["email"])).status_code == 403


@pytest.mark.parametrize(("has", "gets"), [("requester", "agent"), ("agent", "agent"), ("admin", "admin")])
def test_who_came_by_another_way_meanwhile_gains_rights_and_loses_none(
    admin: Person, invited: Invited, anonymous: Judged, new_events: Events, db: Db, has: str, gets: str
) -> None:
    invitation = invited(role="agent")
    body = {"name": "Lena", "email": invitation["email"], "role": has}
    user_id = admin.post("/users", json=body).json()["id"]
    new_events()
    user = accept(anonymous, secret(db, invitation["email"])).json()["user"]
    assert (user["id"], user["role"], user["name"]) == (user_id, gets, "Lena")
    types = [event["type"] for event in new_events()]
    assert types[: 1 + (has != gets)] == ["user.updated", "invitation.accepted"][has == gets :]


def test_who_one_is_is_said_in_one_way(anonymous: Judged, invited: Invited, admin: Person, db: Db) -> None:
    held = secret(db, invited()["email"])
    demo = {"demo_user_id": admin.id}
    for body in ({"name": "x"}, demo | {"invitation": held}, demo | {"name": "x"}):
        assert anonymous.post("/sessions", json=body).status_code == 422
    assert accept(anonymous, held).status_code == 201


def test_a_person_who_is_invited_signs_in_and_works(invited: Invited, anonymous: Judged, project: str, db: Db) -> None:
    invitation = invited(role="agent", projects=[project])
    answer = accept(anonymous, secret(db, invitation["email"]))
    cookie = answer.headers["set-cookie"].partition(";")[0]
    proof = {"Cookie": cookie, "X-CSRF-Token": answer.json()["csrf_token"]}
    ticket = {"type": "bug", "project": project, "title": "x", "description": "x", "priority": "high"}
    assert anonymous.post("/tickets", json=ticket, headers=proof).status_code == 201
    del proof["X-CSRF-Token"]
    assert anonymous.post("/tickets", json=ticket, headers=proof).status_code == 403
