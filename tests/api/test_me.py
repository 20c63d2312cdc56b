"""/me: what people see and choose of themselves."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from test_tickets import MERGE_PATCH, Events

from conftest import Person

CHOSEN: dict[str, Any] = {
    "locale": "ar",
    "time_zone": "America/Argentina/Buenos_Aires",
    "view_order": ["01900000-0000-7000-8000-000000000002", "01900000-0000-7000-8000-000000000001"],
    "hidden_views": ["01900000-0000-7000-8000-000000000003"],
    "mail_notifications": {"replies": False, "resolutions": True, "assignments": False},
}


def change(by: Person, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    return by.request("PATCH", "/me", json=fields, headers=MERGE_PATCH | (headers or {}))


@pytest.fixture(params=["requester", "agent", "admin"])
def person(request: pytest.FixtureRequest, sign_in: Callable[..., Person]) -> Person:
    return sign_in(request.param)


def test_who_has_chosen_nothing_goes_by_their_browser_and_gets_all_mail(sign_in: Callable[..., Person]) -> None:
    assert sign_in("requester").get("/me").json()["preferences"] == {
        "locale": "",
        "time_zone": "",
        "view_order": [],
        "hidden_views": [],
        "mail_notifications": {"replies": True, "resolutions": True, "assignments": True},
    }


def test_update_me(person: Person, new_events: Events) -> None:
    before = person.get("/me").json()
    new_events()
    response = change(person, user={"name": "  Noor   Haddad "}, preferences=CHOSEN)
    assert response.status_code == 200, response.text
    me = response.json()
    assert (me["user"]["name"], me["preferences"]) == ("Noor Haddad", CHOSEN)
    assert me["user"].items() >= {name: before["user"][name] for name in ("id", "email", "role", "active")}.items()
    assert (person.get("/me").json(), response.headers["etag"]) == (me, f'"{me["version"]}"')
    (event,) = new_events()
    assert (event["type"], event["data"], event["previous"], event["internal"]) == (
        "user.updated",
        me["user"],
        {"name": before["user"]["name"]},
        True,
    )
    assert str(event["actor_id"]) == person.id


def test_a_patch_touches_only_what_it_names(person: Person) -> None:
    change(person, preferences=CHOSEN)
    patched = change(person, preferences={"mail_notifications": {"replies": True}}).json()
    assert patched["preferences"] == CHOSEN | {"mail_notifications": CHOSEN["mail_notifications"] | {"replies": True}}
    assert change(person, preferences={"locale": ""}).json()["preferences"] == patched["preferences"] | {"locale": ""}


def test_preferences_are_told_to_nobody_else(
    person: Person, admin: Person, new_events: Events, db: psycopg.Connection[dict[str, Any]]
) -> None:
    change(person, preferences=CHOSEN)
    (event,) = new_events()[-1:]
    assert (event["type"], event["previous"]) == ("user.updated", {})
    assert event["data"] == admin.get(f"/users/{person.id}").json()
    (stored,) = db.execute("select e::text as text from events e where id = %s", (event["id"],)).fetchall()
    assert "Buenos" not in stored["text"]
    assert "locale" not in stored["text"]


def test_what_changes_nothing_records_nothing(person: Person, new_events: Events) -> None:
    me = change(person, preferences=CHOSEN).json()
    new_events()
    again = change(person, user={"name": me["user"]["name"]}, preferences=CHOSEN)
    assert (again.json(), new_events()) == (me, [])


def test_of_two_who_read_the_same_the_second_is_told(person: Person, new_events: Events) -> None:
    read = person.get("/me")
    tag = {"If-Match": read.headers["etag"]}
    assert change(person, tag, preferences={"time_zone": "UTC"}).status_code == 200
    new_events()
    assert change(person, tag, preferences={"locale": "de"}).status_code == 412
    assert change(person, preferences={"locale": "de"}, version=read.json()["version"]).status_code == 412
    assert new_events() == []
    assert person.get("/me").json()["preferences"]["locale"] == ""


def test_a_use_of_the_token_fails_no_change(person: Person, db: psycopg.Connection[Any]) -> None:
    read = person.get("/me")
    db.execute("update tokens set last_used_at = now() - interval '1 day' where user_id = %s", (person.id,))
    body = read.json() | {"preferences": CHOSEN}
    answer = change(person, {"If-Match": read.headers["etag"]}, **body)
    assert (answer.status_code, answer.json()["preferences"]) == (200, CHOSEN), answer.text


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"preferences": {"time_zone": "Europe/Atlantis"}}, "#/preferences/time_zone", "unknown"),
        ({"preferences": {"time_zone": "../../etc/passwd"}}, "#/preferences/time_zone", "wrong_format"),
        ({"preferences": {"time_zone": "europe/berlin"}}, "#/preferences/time_zone", "unknown"),
        ({"preferences": {"time_zone": "A" * 65}}, "#/preferences/time_zone", "too_long"),
        ({"preferences": {"locale": "tlh"}}, "#/preferences/locale", "not_allowed"),
        ({"preferences": {"locale": None}}, "#/preferences/locale", "wrong_type"),
        ({"preferences": {"theme": "dark"}}, "#/preferences/theme", "unknown_field"),
        ({"preferences": {"mail_notifications": {"replies": 1}}}, "#/preferences/mail_notifications/replies", None),
        ({"preferences": {"mail_notifications": {"sms": True}}}, "#/preferences/mail_notifications/sms", None),
        ({"user": {"name": " "}}, "#/user/name", None),
        ({"user": {"role": "admin"}}, "#/user/role", "read_only"),
        ({"user": {"email": "other@lumen.example"}}, "#/user/email", "read_only"),
        ({"user": {"active": False}}, "#/user/active", "read_only"),
        ({"token": {"scopes": ["admin"]}}, "#/token/scopes", "read_only"),
        ({"name": "x"}, "#/name", "unknown_field"),
        ({}, "", None),
    ],
)
def test_what_cannot_be(
    requester: Person, new_events: Events, fields: dict[str, Any], pointer: str, code: str | None
) -> None:
    before = requester.get("/me").json()
    new_events()
    answer = change(requester, **fields)
    assert answer.status_code == 422
    faults = answer.json()["errors"]
    assert {fault["pointer"].rstrip("#") for fault in faults} == {pointer}
    assert code is None or code in {fault["code"] for fault in faults}
    assert (requester.get("/me").json()["preferences"], new_events()) == (before["preferences"], [])


@pytest.mark.parametrize("zone", ["UTC", "Europe/Kyiv", "Asia/Calcutta", "Etc/GMT+12", "America/North_Dakota/Center"])
def test_zones_that_browsers_give(requester: Person, zone: str) -> None:
    assert change(requester, preferences={"time_zone": zone}).json()["preferences"]["time_zone"] == zone


def test_a_token_that_is_limited_to_some_projects_changes_nobody(
    sign_in: Callable[..., Person], project: str, db: psycopg.Connection[Any], new_events: Events
) -> None:
    agent = sign_in("agent")
    db.execute("update tokens set projects = %s where user_id = %s", ([project], agent.id))
    new_events()
    assert change(agent, user={"name": secrets.token_hex(4)}).status_code == 403
    assert new_events() == []
    assert agent.get("/me").json()["user"]["name"] == agent.name
