"""Tokens: their form, their limits, and that their secret is shown once."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql
from test_tickets import Events

from conftest import Person, await_, spawned
from judged import Judged
from ticketing import sealing
from ticketing.access import authentication, bearer
from ticketing.db import pool
from ticketing.ground.config import settings


def in_(**delta: int) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).isoformat()


def authorization(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def signed_in(client: Judged, token: str) -> Any:
    return client.get("/me", headers=authorization(token))


def test_create_token(
    agent: Person, anonymous: Judged, new_events: Events, db: psycopg.Connection[dict[str, Any]]
) -> None:
    response = agent.post("/tokens", json={"name": "ci", "scopes": ["tickets:read"], "expires_at": in_(days=1)})
    assert response.status_code == 201
    token = response.json()
    secret = token.pop("token")
    assert bearer.well_formed(secret)
    assert secret.startswith(token["prefix"])
    assert signed_in(anonymous, secret).json()["token"]["id"] == token["id"]
    assert agent.get(response.headers["location"].removeprefix("/api/v1")).json()["name"] == "ci"
    (event,) = new_events()
    assert (event["type"], event["data"]) == ("token.created", token)
    for table in ("tokens", "events", "idempotency_keys", "sealed_tokens"):
        stored = sql.SQL("select count(*) as found from {} t where strpos(t::text, %s) > 0").format(
            sql.Identifier(table)
        )
        assert db.execute(stored, (secret[len(token["prefix"]) :],)).fetchone() == {"found": 0}


def test_a_repeated_request_gets_the_same_secret(agent: Person, anonymous: Judged) -> None:
    body, key = {"name": "ci", "scopes": ["tickets:read"]}, {"Idempotency-Key": secrets.token_hex(8)}
    first, again = (agent.post("/tokens", json=body, headers=key) for _ in range(2))
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert signed_in(anonymous, again.json()["token"]).status_code == 200


def test_only_the_token_that_asked_is_told_the_secret_again(agent: Person, anonymous: Judged) -> None:
    body, key = {"name": "ci", "scopes": ["tickets:write", "tickets:read"]}, {"Idempotency-Key": secrets.token_hex(8)}
    secret = agent.post("/tokens", json=body, headers=key).json()["token"]
    other = anonymous.post("/tokens", json=body, headers=key | authorization(secret))
    assert (other.status_code, "another token" in other.json()["detail"]) == (409, True)


def test_a_secret_is_kept_sealed_for_as_long_as_its_request_may_be_repeated(
    agent: Person, new_events: Events, db: psycopg.Connection[dict[str, Any]]
) -> None:
    def sealed() -> list[bytes]:
        (event,) = new_events()
        rows = db.execute("select sealed from sealed_tokens where event_id = %s", (event["id"],)).fetchall()
        return [row["sealed"] for row in rows]

    body = {"name": "ci", "scopes": ["tickets:read"]}
    assert agent.post("/tokens", json=body).status_code == 201
    assert sealed() == []
    secret = agent.post("/tokens", json=body, headers={"Idempotency-Key": secrets.token_hex(8)}).json()["token"]
    (kept,) = sealed()
    assert secret.encode() not in kept


def test_what_was_made_is_told_again_whatever_has_become_of_it(
    agent: Person, db: psycopg.Connection[dict[str, Any]]
) -> None:
    body = {"name": "ci", "scopes": ["tickets:read"], "expires_at": in_(seconds=1)}
    key = {"Idempotency-Key": secrets.token_hex(8)}
    first = agent.post("/tokens", json=body, headers=key)
    assert agent.delete(f"/tokens/{first.json()['id']}").status_code == 204
    await_(lambda: agent.post("/tokens", json=body).status_code == 422)
    again = agent.post("/tokens", json=body, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    db.execute("update idempotency_keys set created_at = now() - interval '25 h' where key = %s", tuple(key.values()))
    assert agent.post("/tokens", json=body, headers=key).status_code == 422


def test_a_token_s_children_do_not_follow_from_it(agent: Person) -> None:
    """What one may know of two requests that differ in nothing does not tell the secret of the other."""
    made = [agent.post("/tokens", json={"name": "ci", "scopes": ["tickets:read"]}).json()["token"] for _ in range(2)]
    assert made[0] != made[1]
    holder = hashlib.blake2b(agent.token.encode(), digest_size=32).digest()
    sealed = sealing.seal_for(holder, b"secret", b"event and key")
    assert sealing.unseal_for(holder, sealed, b"event and key") == b"secret"
    assert sealing.unseal_for(holder, sealed, b"event and another key") is None
    assert sealing.unseal_for(holder[::-1], sealed, b"event and key") is None
    assert sealing.unseal_for(holder, sealed[:10], b"event and key") is None
    assert sealing.seal_for(holder, b"secret", b"event and key") != sealed


def test_a_token_gives_away_no_more_than_it_has(sign_in: Callable[..., Person]) -> None:
    reader = sign_in("admin", scopes=("tickets:write",))
    response = reader.post("/tokens", json={"name": "more", "scopes": ["admin"]})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (403, "#/scopes")


@pytest.mark.parametrize("role", ["requester", "agent"])
def test_a_token_can_do_no_more_than_its_user(sign_in: Callable[..., Person], role: str) -> None:
    """Not even if the one that asks says that it could, as such tokens were made once."""
    response = sign_in(role).post("/tokens", json={"name": "more", "scopes": ["tickets:read", "admin"]})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "#/scopes")


def test_a_token_lives_no_longer_than_its_maker(agent: Person, anonymous: Judged) -> None:
    body = {"name": "short", "scopes": ["tickets:write"], "expires_at": in_(hours=1)}
    made = agent.post("/tokens", json=body).json()
    short = {"Authorization": f"Bearer {made['token']}"}
    for expires_at in ({}, {"expires_at": in_(hours=2)}, {"expires_at": in_(hours=-1)}):
        body = {"name": "long", "scopes": ["tickets:write"]} | expires_at
        refused = anonymous.post("/tokens", json=body, headers=short)
        assert refused.status_code == 422
        assert made["expires_at"] in refused.json()["detail"] or refused.json()["detail"] == "This is in the past."
    body = {"name": "shorter", "scopes": ["tickets:write"], "expires_at": in_(minutes=5)}
    assert anonymous.post("/tokens", json=body, headers=short).status_code == 201


@pytest.mark.parametrize(
    ("expires_at", "status"),
    [("2879-09-06T09:50:55+20:43", 201), ("9999-12-31T23:59:59-23:59", 422), ("0000-01-01T00:00:00Z", 422)],
)
def test_an_expiry_at_the_edge_of_the_calendar(agent: Person, expires_at: str, status: int) -> None:
    body = {"name": "edge", "scopes": ["tickets:read"], "expires_at": expires_at}
    assert agent.post("/tokens", json=body).status_code == status


def test_a_revoked_token_is_refused(agent: Person, anonymous: Judged, new_events: Events) -> None:
    made = agent.post("/tokens", json={"name": "gone", "scopes": ["tickets:read"]}).json()
    new_events()
    for _ in range(2):
        assert agent.delete(f"/tokens/{made['id']}").status_code == 204
    (event,) = new_events()
    assert (event["type"], event["previous"]) == ("token.revoked", {"revoked_at": None})
    response = signed_in(anonymous, made["token"])
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]
    assert agent.get(f"/tokens/{made['id']}").json()["revoked_at"]


def test_an_expired_token_is_refused(agent: Person, anonymous: Judged, db: psycopg.Connection[Any]) -> None:
    made = agent.post("/tokens", json={"name": "old", "scopes": ["tickets:read"]}).json()
    db.execute("update tokens set expires_at = now() where id = %s", (made["id"],))
    assert signed_in(anonymous, made["token"]).status_code == 401


@pytest.mark.slow
def test_a_remembered_token_still_expires(
    sign_in: Callable[..., Person], database_url: str, db: psycopg.Connection[Any]
) -> None:
    person = sign_in("agent")
    with spawned(database_url, TICKETING_TOKEN_CACHE_MS="60000") as url, Judged(base_url=url) as client:
        db.execute("update tokens set expires_at = now() + interval '3 s' where user_id = %s", (person.id,))
        assert signed_in(client, person.token).status_code == 200
        await_(lambda: signed_in(client, person.token).status_code == 401)


@pytest.mark.parametrize("change", ["revoked_at = now()", "expires_at = now()"])
def test_a_dead_token_is_not_used(
    sign_in: Callable[..., Person], anonymous: Judged, db: psycopg.Connection[dict[str, Any]], change: str
) -> None:
    person = sign_in("agent")
    db.execute(f"update tokens set {change} where user_id = %s", (person.id,))
    assert signed_in(anonymous, person.token).status_code == 401
    row = db.execute("select last_used_at from tokens where user_id = %s", (person.id,)).fetchone()
    assert row == {"last_used_at": None}


SCOPES = ("tickets:read", "tickets:write", "admin")


@pytest.mark.parametrize(
    ("ours", "theirs", "status"),
    [
        (("tickets:write",), ("tickets:read",), 403),
        (("tickets:write",), ("admin",), 403),
        (("tickets:read", "tickets:write"), ("admin", "tickets:read"), 403),
        (("admin", "tickets:write"), SCOPES, 403),
        (("tickets:write",), ("tickets:write",), 204),
        (SCOPES, SCOPES, 204),
    ],
)
def test_no_token_ends_one_that_can_do_more(
    sign_in: Callable[..., Person],
    anonymous: Judged,
    new_events: Events,
    ours: tuple[str, ...],
    theirs: tuple[str, ...],
    status: int,
) -> None:
    owner = sign_in("admin")
    narrow = authorization(owner.post("/tokens", json={"name": "ours", "scopes": ours}).json()["token"])
    mighty = owner.post("/tokens", json={"name": "theirs", "scopes": theirs}).json()
    new_events()
    for query in ({}, {"children": True}):
        answer = anonymous.delete(f"/tokens/{mighty['id']}", headers=narrow, params=query)
        assert answer.status_code == status
        if status == 403:
            assert answer.json()["code"] == "insufficient_scope"
            assert set(theirs) <= set(answer.headers["www-authenticate"].split('scope="')[1].strip('"').split())
    assert signed_in(anonymous, mighty["token"]).status_code == (
        401 if status == 204 else 200 if "tickets:read" in theirs else 403
    )
    assert [event["type"] for event in new_events()] == ["token.revoked"] * (status == 204)


def test_a_token_ends_itself(agent: Person, anonymous: Judged) -> None:
    made = agent.post("/tokens", json={"name": "brief", "scopes": ["tickets:write"]}).json()
    assert made["created_by_token"] == agent.get("/me").json()["token"]["id"]
    assert anonymous.delete(f"/tokens/{made['id']}", headers=authorization(made["token"])).status_code == 204
    assert signed_in(anonymous, made["token"]).status_code == 401


def test_what_a_stolen_token_made_ends_with_it(
    agent: Person, anonymous: Judged, new_events: Events, db: psycopg.Connection[Any]
) -> None:
    def make(by: str) -> dict[str, Any]:
        body = {"name": "made", "scopes": ["tickets:read", "tickets:write"]}
        made: dict[str, Any] = anonymous.post("/tokens", json=body, headers=authorization(by)).json()
        return made

    stolen = make(agent.token)
    child, sibling = make(stolen["token"]), make(agent.token)
    grandchild, expired = make(child["token"]), make(child["token"])
    db.execute("update tokens set expires_at = now() where id = %s", (expired["id"],))
    assert agent.delete(f"/tokens/{child['id']}").status_code == 204
    assert [signed_in(anonymous, each["token"]).status_code for each in (stolen, child, grandchild)] == [200, 401, 200]
    assert agent.delete(f"/tokens/{stolen['id']}").status_code == 204
    new_events()
    for _ in range(2):
        assert agent.delete(f"/tokens/{stolen['id']}", params={"children": True}).status_code == 204
    assert [(event["type"], event["data"]["id"]) for event in new_events()] == [("token.revoked", grandchild["id"])]
    alive = [signed_in(anonymous, each["token"]).status_code for each in (stolen, child, grandchild, sibling)]
    assert alive == [401, 401, 401, 200]


def test_nothing_is_made_with_a_token_while_it_ends(
    sign_in: Callable[..., Person], db: psycopg.Connection[dict[str, Any]]
) -> None:
    """Several clients make tokens with one for as long as they can, while it is revoked with its children."""
    owner = sign_in("agent")
    body = {"name": "x", "scopes": ["tickets:read", "tickets:write"]}
    stolen = owner.post("/tokens", json=body).json()

    def make(_: int) -> None:
        with Judged(base_url=str(owner.base_url).removesuffix("/api/v1/"), timeout=30) as thief:
            while thief.post("/tokens", json=body, headers=authorization(stolen["token"])).status_code == 201:
                pass

    with ThreadPoolExecutor(5) as pool:
        making = pool.map(make, range(4))
        await_(lambda: len(owner.pages("/tokens", limit=100)) > 10)
        assert owner.delete(f"/tokens/{stolen['id']}", params={"children": True}).status_code == 204
        list(making)
    rows = db.execute(
        "select count(*) as made, count(*) filter (where revoked_at is null) as alive from tokens"
        " where created_by_token = %s",
        (stolen["id"],),
    ).fetchall()
    assert (rows[0]["made"] > 5, rows[0]["alive"]) == (True, 0)


@pytest.mark.parametrize("path", ["/tokens", "/users/{machine}/tokens"])
def test_a_token_that_ended_elsewhere_makes_no_other(
    sign_in: Callable[..., Person],
    machine: str,
    monkeypatch: pytest.MonkeyPatch,
    new_events: Events,
    db: psycopg.Connection[dict[str, Any]],
    path: str,
) -> None:
    """Another process has ended it, while this one still remembers it as accepted."""
    monkeypatch.setattr(authentication, "settings", lambda: replace(settings(), token_cache_ms=60_000))
    person = sign_in("admin")
    body = {"name": "late", "scopes": ["tickets:read"]}
    assert person.post(path.format(machine=machine), json=body).status_code == 201
    db.execute("update tokens set revoked_at = now() where user_id = %s", (person.id,))
    new_events()
    refused = person.post(path.format(machine=machine), json=body)
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert refused.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert new_events() == []
    # Now this process knows as well.
    assert person.get("/me").status_code == 401


def test_a_role_that_changed_elsewhere_makes_no_token(
    sign_in: Callable[..., Person], monkeypatch: pytest.MonkeyPatch, db: psycopg.Connection[dict[str, Any]]
) -> None:
    monkeypatch.setattr(authentication, "settings", lambda: replace(settings(), token_cache_ms=60_000))
    person = sign_in("agent")
    assert person.get("/me").status_code == 200
    db.execute("update users set role = 'requester' where id = %s", (person.id,))
    body = {"name": "late", "scopes": ["tickets:read"]}
    assert person.post("/tokens", json=body).status_code == 409
    # It has learned of the change, so that the same request succeeds.
    assert person.post("/tokens", json=body).status_code == 201


def test_everyone_keeps_their_own_tokens(agent: Person, admin: Person) -> None:
    made = agent.post("/tokens", json={"name": "mine", "scopes": ["tickets:read"]}).json()
    assert admin.get(f"/tokens/{made['id']}").status_code == 404
    assert admin.delete(f"/tokens/{made['id']}").status_code == 404
    assert made["id"] in [token["id"] for token in agent.pages("/tokens", limit=2)]
    assert made["id"] not in [token["id"] for token in admin.pages("/tokens")]


@pytest.fixture
def machine(admin: Person) -> str:
    """The id of a service account that is an agent."""
    body = {"name": "Crash reporter", "role": "agent", "service_account": True}
    return str(admin.post("/users", json=body).json()["id"])


def test_an_admin_gives_a_service_account_a_token(
    admin: Person, anonymous: Judged, machine: str, new_events: Events
) -> None:
    body, key = {"name": "ci", "scopes": ["tickets:read"]}, {"Idempotency-Key": secrets.token_hex(8)}
    new_events()
    first, again = (admin.post(f"/users/{machine}/tokens", json=body, headers=key) for _ in range(2))
    made = first.json()
    assert (first.status_code, again.json(), again.headers["idempotent-replayed"]) == (201, made, "true")
    assert signed_in(anonymous, made["token"]).json()["user"]["id"] == machine
    place = first.headers["location"].removeprefix("/api/v1")
    assert admin.get(place).json()["id"] == made["id"]
    assert [token["id"] for token in admin.pages(f"/users/{machine}/tokens", limit=1)] == [made["id"]]
    for _ in range(2):
        assert admin.delete(place).status_code == 204
    assert signed_in(anonymous, made["token"]).status_code == 401
    assert [(event["type"], str(event["actor_id"])) for event in new_events()] == [
        ("token.created", admin.id),
        ("token.revoked", admin.id),
    ]
    assert admin.post("/tokens", json=body, headers=key).status_code == 422


def test_an_admin_gives_no_more_than_they_have(
    sign_in: Callable[..., Person], anonymous: Judged, machine: str, db: psycopg.Connection[Any]
) -> None:
    narrow = sign_in("admin", scopes=("admin",))
    give = f"/users/{machine}/tokens"
    assert narrow.post(give, json={"name": "x", "scopes": ["tickets:write"]}).status_code == 403
    assert narrow.post(give, json={"name": "x", "scopes": ["admin"]}).status_code == 422
    brief = sign_in("admin")
    db.execute("update tokens set expires_at = now() + interval '1 h' where user_id = %s", (brief.id,))
    for expires_at in ({}, {"expires_at": in_(hours=2)}, {"expires_at": in_(hours=-1)}):
        body = {"name": "x", "scopes": ["tickets:read"]} | expires_at
        assert brief.post(give, json=body).status_code == 422


def test_an_inactive_service_account_is_given_no_token(
    admin: Person, anonymous: Judged, machine: str, new_events: Events
) -> None:
    body = {"name": "x", "scopes": ["tickets:read"]}
    made = admin.post(f"/users/{machine}/tokens", json=body).json()
    patch = {"headers": {"Content-Type": "application/merge-patch+json"}, "json": {"active": False}}
    assert admin.request("PATCH", f"/users/{machine}", **patch).status_code == 200
    new_events()
    assert admin.post(f"/users/{machine}/tokens", json=body).json()["code"] == "user_inactive"
    assert new_events() == []
    assert signed_in(anonymous, made["token"]).status_code == 401


def test_an_admin_stops_a_leaked_token_whatever_it_can_do(
    sign_in: Callable[..., Person], anonymous: Judged, machine: str
) -> None:
    operator, owner = sign_in("admin", scopes=("admin",)), sign_in("admin")
    body = {"name": "made", "scopes": ["tickets:read"]}
    made = anonymous.post(f"/users/{machine}/tokens", json=body, headers=authorization(owner.token)).json()
    leaked = owner.get("/me").json()["token"]["id"]
    assert operator.delete(f"/users/{machine}/tokens/{leaked}").status_code == 404
    assert operator.delete(f"/users/{owner.id}/tokens/{leaked}", params={"children": True}).status_code == 204
    assert signed_in(anonymous, owner.token).status_code == 401
    assert signed_in(anonymous, made["token"]).status_code == 401


def test_its_use_is_noted_at_most_once_a_minute(
    sign_in: Callable[..., Person], db: psycopg.Connection[dict[str, Any]]
) -> None:
    person = sign_in("agent")

    def last_used() -> Any:
        row = db.execute("select last_used_at from tokens where user_id = %s", (person.id,)).fetchone()
        assert row
        return row["last_used_at"]

    assert last_used() is None
    person.get("/me")
    first = last_used()
    time.sleep(0.01)
    person.get("/me")
    assert first
    assert last_used() == first
    db.execute("update tokens set last_used_at = now() - interval '61 s' where user_id = %s", (person.id,))
    person.get("/me")
    assert last_used() > first


@pytest.mark.parametrize(
    "authorization",
    ["Bearer", "Bearer x", "Basic dXNlcjpwYXNz", "bearer tkt_é", "Bearer a b", "Bearer " + "x" * 5000, ""],
)
def test_what_is_no_token(anonymous: Judged, authorization: str) -> None:
    response = anonymous.get("/me", headers=[(b"Authorization", authorization.encode())])
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")


@given(
    st.text(alphabet=bearer.ALPHABET, min_size=30, max_size=30), st.integers(0, 36), st.sampled_from(bearer.ALPHABET)
)
def test_a_typo_never_makes_a_well_formed_token(secret: str, place: int, other: str) -> None:
    token = bearer.with_checksum(secret)
    assert bearer.well_formed(token)
    wrong = token[: 4 + place] + other + token[5 + place :]
    assert wrong == token or not bearer.well_formed(wrong)


@pytest.mark.slow
def test_who_comes_while_the_database_is_silent_waits_no_longer_than_who_came_before(
    sign_in: Callable[..., Person],
    db: psycopg.Connection[dict[str, Any]],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tokens are looked up together. Those that come during a lookup wait for the next one, unless all is silent."""
    monkeypatch.setattr(pool, "WAIT_SECONDS", 1.0)
    first, second = sign_in("agent"), sign_in("agent")

    def asked(who: Person) -> tuple[int, float]:
        began = time.monotonic()
        return who.get("/me").status_code, time.monotonic() - began

    with psycopg.connect(database_url) as busy, ThreadPoolExecutor() as threads:
        busy.execute("lock table tokens in access exclusive mode")
        before = threads.submit(asked, first)
        waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        await_(lambda: bool(db.execute(waiting).fetchall()))
        time.sleep(1)
        after = [threads.submit(asked, who) for who in (second, first)]
        assert [each.result()[0] for each in (before, *after)] == [503, 503, 503]
        assert all(each.result()[1] < before.result()[1] for each in after)
