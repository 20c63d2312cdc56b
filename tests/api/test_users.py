"""Users: who may add, see and change whom."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from test_tickets import MERGE_PATCH, Events

from conftest import Person, await_, signed_up, spawned
from judged import Judged


def address() -> str:
    return f"{secrets.token_hex(6)}@lumen.example"


def change(by: Person, user_id: str, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    return by.request("PATCH", f"/users/{user_id}", json=fields, headers=MERGE_PATCH | (headers or {}))


@pytest.mark.parametrize(
    "email",
    [
        "Ada <ada@lumen.example>",
        '"a@b"@lumen.example',
        '"quoted"@lumen.example',
        "ada@[127.0.0.1]",
        "a..b@lumen.example",
        ".ada@lumen.example",
        "ada.@lumen.example",
        "ada@lumen..example",
        "ada@-lumen.example",
        "ada(x)@lumen.example",
        "ada@",
        "ada",
    ],
)
def test_an_address_to_which_no_mail_can_be_sent_is_refused_wherever_one_is_taken(
    admin: Person, agent: Person, project: str, email: str
) -> None:
    ticket = {"type": "support", "project": project, "title": "x", "description": "x", "requester": {"email": email}}
    for pointer, answer in (
        ("#/email", admin.post("/users", json={"name": "Ada", "email": email})),
        ("#/email", admin.request("PATCH", f"/users/{agent.id}", json={"email": email}, headers=MERGE_PATCH)),
        ("#/email", admin.post("/invitations", json={"name": "Ada", "email": email})),
        ("#/email", admin.post("/sign-in-codes", json={"email": email})),
        ("#/requester/email", agent.post("/tickets", json=ticket)),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
        assert [(each["code"], each["pointer"]) for each in answer.json()["errors"]] == [("wrong_format", pointer)]


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
    assert (event["type"], event["data"], event["internal"]) == ("user.created", user, True)


def test_a_service_account_needs_no_email(admin: Person) -> None:
    user = admin.post("/users", json={"name": "ci", "service_account": True, "role": "agent"}).json()
    assert (user["email"], user["service_account"]) == (None, True)
    assert admin.post("/users", json={"name": "person"}).status_code == 422


def test_an_email_is_used_once_whatever_its_case(admin: Person, new_events: Events) -> None:
    email = address()
    assert admin.post("/users", json={"name": "A", "email": email}).status_code == 201
    new_events()
    assert admin.post("/users", json={"name": "B", "email": email.upper()}).json()["code"] == "already_exists"
    other = admin.post("/users", json={"name": "C", "email": address()}).json()
    new_events()
    assert change(admin, other["id"], email=email).json()["code"] == "already_exists"
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
    event, revoked = new_events()
    assert (event["type"], event["previous"], event["data"]) == (
        "user.updated",
        {"role": "requester"},
        response.json(),
    )
    assert (revoked["type"], revoked["data"]["prefix"]) == ("token.revoked", person.token[:12])
    assert person.get("/me").status_code == 401
    assert change(admin, "0193a1f2-0000-7000-8000-000000000000", name="x").status_code == 404


def test_an_inactive_user_is_signed_out_for_good(
    admin: Person, sign_in: Callable[..., Person], new_events: Events
) -> None:
    person = sign_in("agent")
    second = person.post("/tokens", json={"name": "second", "scopes": ["tickets:read"]}).json()
    person.delete(f"/tokens/{second['id']}")
    new_events()
    change(admin, person.id, active=False)
    assert person.get("/me").status_code == 401
    changed, revoked = new_events()
    assert (changed["type"], revoked["type"], str(revoked["actor_id"])) == ("user.updated", "token.revoked", admin.id)
    assert (revoked["data"]["prefix"], revoked["previous"]) == (person.token[:12], {"revoked_at": None})
    assert revoked["data"]["revoked_at"]
    change(admin, person.id, active=True)
    assert person.get("/me").status_code == 401


def test_a_demoted_admin_loses_the_tokens_of_admins(
    admin: Person, sign_in: Callable[..., Person], anonymous: Judged, new_events: Events
) -> None:
    person = sign_in("admin")
    narrow = person.post("/tokens", json={"name": "narrow", "scopes": ["tickets:read"]}).json()
    new_events()
    change(admin, person.id, role="agent")
    assert [event["type"] for event in new_events()] == ["user.updated", "token.revoked"]
    me = anonymous.get("/me", headers={"Authorization": f"Bearer {narrow['token']}"}).json()
    assert (me["token"]["scopes"], me["user"]["role"]) == (["tickets:read"], "agent")
    change(admin, person.id, role="admin")
    assert person.get("/me").status_code == 401


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ({"role": "requester"}, {"role": "agent"}),
        ({"role": "requester"}, {"role": "admin"}),
        ({"role": "agent"}, {"role": "admin"}),
        ({"role": "agent", "active": False}, {"active": True}),
    ],
)
def test_no_token_comes_to_do_more_with_its_user(
    admin: Person,
    sign_in: Callable[..., Person],
    db: psycopg.Connection[Any],
    was: dict[str, Any],
    becomes: dict[str, Any],
) -> None:
    """Such as one that saw three tickets, or held `admin` though its user did not; or of somebody who was away."""
    person = sign_in(was["role"])
    db.execute("update users set active = %s where id = %s", (was.get("active", True), person.id))
    assert change(admin, person.id, **becomes).status_code == 200
    assert person.get("/me").status_code == 401


def test_what_has_expired_is_not_revoked(
    admin: Person, sign_in: Callable[..., Person], new_events: Events, db: psycopg.Connection[Any]
) -> None:
    person = sign_in("agent")
    db.execute("update tokens set expires_at = now() where user_id = %s", (person.id,))
    new_events()
    change(admin, person.id, active=False)
    assert [event["type"] for event in new_events()] == ["user.updated"]


@pytest.mark.parametrize(
    ("meanwhile", "told"),
    [
        ("update users set active = false where id = %s", (401, "unauthenticated")),
        ("update users set role = 'requester' where id = %s", (409, "changed_meanwhile")),
        ("update tokens set revoked_at = now() where user_id = %s", (401, "unauthenticated")),
    ],
)
def test_no_token_is_made_of_rights_that_are_just_being_taken(
    sign_in: Callable[..., Person],
    database_url: str,
    db: psycopg.Connection[Any],
    meanwhile: str,
    told: tuple[int, str],
    new_events: Events,
) -> None:
    """Who asks for one waits for the other transaction, and then is told."""
    person = sign_in("agent")
    assert person.get("/me").status_code == 200
    waiting = (
        "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        " and query like '%insert into tokens%'"
    )
    new_events()
    with psycopg.connect(database_url) as conn, ThreadPoolExecutor(1) as pool:
        conn.execute(meanwhile.encode(), (person.id,))
        asked = pool.submit(person.post, "/tokens", json={"name": "x", "scopes": ["tickets:read"]})
        await_(lambda: bool(db.execute(waiting.encode()).fetchall()))
        conn.commit()
        assert (asked.result().status_code, asked.result().json()["code"]) == told
        assert conn.execute("select count(*) from tokens where user_id = %s", (person.id,)).fetchone() == (1,)
    assert new_events() == []


def test_an_admin_keeps_their_own_rights(admin: Person) -> None:
    assert change(admin, admin.id, role="agent").json()["code"] == "own_rights"
    assert change(admin, admin.id, active=False).json()["code"] == "own_rights"


@pytest.mark.slow
def test_two_admins_who_take_each_other_s_rights_leave_one(new_database: Callable[..., str]) -> None:
    """In an installation in which there is nobody else; what both ask for is under way before either is done."""
    url, lock = new_database(), "(hashtextextended('users.admins', 0))"
    waiting = "select from pg_locks where locktype = 'advisory' and not granted and database = (%s)"
    ours = "select oid from pg_database where datname = current_database()"
    with (
        spawned(url, TICKETING_TOKEN_CACHE_MS="0") as service,
        psycopg.connect(url, autocommit=True) as conn,
        ThreadPoolExecutor(2) as pool,
        Person(service, *signed_up(conn, "admin")) as winner,
    ):
        for patch in ({"role": "agent"}, {"active": False}):
            with Person(service, *signed_up(conn, "admin")) as other:
                conn.execute(f"select pg_advisory_lock{lock}".encode())
                asked = [pool.submit(change, by, whose.id, **patch) for by, whose in ((winner, other), (other, winner))]
                await_(lambda: len(conn.execute((waiting % ours).encode()).fetchall()) == 2)
                conn.execute(f"select pg_advisory_unlock{lock}".encode())
                answers = [each.result() for each in asked]
                assert sorted(answer.status_code for answer in answers) == [200, 409]
                assert "the last active admin" in next(a.json()["detail"] for a in answers if a.status_code == 409)
                left = conn.execute("select id::text from users where role = 'admin' and active").fetchall()
                assert left == [((winner if answers[0].status_code == 200 else other).id,)]
                conn.execute("update users set role = 'admin', active = true where id = %s", (winner.id,))
                conn.execute("update tokens set revoked_at = null where user_id = %s", (winner.id,))
                conn.execute("update users set active = false where id = %s", (other.id,))


def test_list_users(admin: Person, agent: Person) -> None:
    email = address()
    added = [admin.post("/users", json={"name": f"L{n}", "email": address()}).json()["id"] for n in range(5)]
    listed = [user["id"] for user in agent.pages("/users", limit=3)]
    assert [user_id for user_id in listed if user_id in added] == added
    assert agent.pages("/users", email=email) == []
    assert {user["role"] for user in agent.pages("/users", role="admin")} == {"admin"}
    assert {user["role"] for user in agent.pages("/users", role="admin,agent")} == {"admin", "agent"}


def test_users_are_found_by_what_they_are(admin: Person, agent: Person) -> None:
    mark = secrets.token_hex(4)
    ann = admin.post("/users", json={"name": f"Änn {mark}", "email": address()}).json()["id"]
    bob = admin.post("/users", json={"name": "Bob", "email": f"bob.{mark}@lumen.example", "role": "agent"}).json()["id"]
    bot = admin.post("/users", json={"name": f"Bot {mark}", "service_account": True}).json()["id"]
    change(admin, bob, active=False)

    def found(**filters: Any) -> list[str]:
        return [user["id"] for user in agent.pages("/users", name=mark, limit=1, **filters)]

    assert found() == [ann, bob, bot]
    assert found(active="true") == [ann, bot]
    assert found(active="false") == [bob]
    assert found(service_account="true") == [bot]
    assert found(service_account="false", role="requester") == [ann]
    assert found(service_account="false", role="requester", active="false") == []
    first = agent.get("/users", params={"name": mark, "active": "true", "limit": 1})
    (after,) = agent.get(first.links["next"]["url"].removeprefix("/api/v1")).json()["items"]
    assert after["id"] == bot


@pytest.mark.parametrize("part", ["änn", "ÄNN", "Änn", " änn ", "ä"])
def test_a_part_of_a_name_is_found_however_it_is_written(admin: Person, part: str) -> None:
    user = admin.post("/users", json={"name": f"Ännchen {secrets.token_hex(4)}", "email": address()}).json()
    assert user["id"] in [each["id"] for each in admin.pages("/users", name=part, limit=100)]


@pytest.mark.parametrize("part", ["%", "_", "\\", "'", "a%z"])
def test_a_part_of_a_name_is_no_pattern(admin: Person, part: str) -> None:
    user = admin.post("/users", json={"name": f"Ann {secrets.token_hex(4)}", "email": address()}).json()
    assert user["id"] not in [each["id"] for each in admin.pages("/users", name=part, limit=100)]
    odd = admin.post("/users", json={"name": f"x{part}x", "email": address()}).json()
    assert odd["id"] in [each["id"] for each in admin.pages("/users", name=part, limit=100)]


def test_a_filter_of_users_is_true_or_false(agent: Person) -> None:
    for given in ("1", "yes", "none", ""):
        assert agent.get("/users", params={"active": given}).status_code == 400


def test_me(agent: Person) -> None:
    me = agent.get("/me").json()
    assert (me["user"]["id"], me["user"]["role"]) == (agent.id, "agent")
    assert me["token"]["scopes"] == ["tickets:read", "tickets:write", "admin"]
    assert agent.token not in agent.get("/me").text
