"""Tokens: their form, their limits, and that their secret is shown once."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from conftest import Person, await_, spawned
from judged import Judged
from test_tickets import Events
from ticketing import auth


def in_(**delta: int) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).isoformat()


def bearer(client: Judged, token: str) -> Any:
    return client.get("/me", headers={"Authorization": f"Bearer {token}"})


def test_create_token(
    agent: Person, anonymous: Judged, new_events: Events, db: psycopg.Connection[dict[str, Any]]
) -> None:
    response = agent.post("/tokens", json={"name": "ci", "scopes": ["tickets:read"], "expires_at": in_(days=1)})
    assert response.status_code == 201
    token = response.json()
    secret = token.pop("token")
    assert auth.well_formed(secret)
    assert secret.startswith(token["prefix"])
    assert bearer(anonymous, secret).json()["token"]["id"] == token["id"]
    assert agent.get(response.headers["location"].removeprefix("/api/v1")).json()["name"] == "ci"
    (event,) = new_events()
    assert (event["type"], event["data"]) == ("token.created", token)
    for table in ("tokens", "events", "idempotency_keys"):
        stored = sql.SQL("select count(*) as found from {} t where strpos(t::text, %s) > 0").format(
            sql.Identifier(table)
        )
        assert db.execute(stored, (secret[len(token["prefix"]) :],)).fetchone() == {"found": 0}


def test_a_repeated_request_gets_the_same_secret(agent: Person, anonymous: Judged) -> None:
    body, key = {"name": "ci", "scopes": ["tickets:read"]}, {"Idempotency-Key": secrets.token_hex(8)}
    first, again = (agent.post("/tokens", json=body, headers=key) for _ in range(2))
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert bearer(anonymous, again.json()["token"]).status_code == 200


def test_only_the_token_that_asked_is_told_the_secret_again(agent: Person, anonymous: Judged) -> None:
    body, key = {"name": "ci", "scopes": ["tickets:write", "tickets:read"]}, {"Idempotency-Key": secrets.token_hex(8)}
    secret = agent.post("/tokens", json=body, headers=key).json()["token"]
    other = anonymous.post("/tokens", json=body, headers=key | {"Authorization": f"Bearer {secret}"})
    assert other.status_code == 409


def test_a_token_gives_away_no_more_than_it_has(sign_in: Callable[..., Person]) -> None:
    reader = sign_in("admin", scopes=("tickets:write",))
    response = reader.post("/tokens", json={"name": "more", "scopes": ["admin"]})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (403, "#/scopes")


def test_a_token_lives_no_longer_than_its_maker(agent: Person, anonymous: Judged) -> None:
    body = {"name": "short", "scopes": ["tickets:write"], "expires_at": in_(hours=1)}
    short = {"Authorization": f"Bearer {agent.post('/tokens', json=body).json()['token']}"}
    for expires_at in ({}, {"expires_at": in_(hours=2)}, {"expires_at": in_(hours=-1)}):
        body = {"name": "long", "scopes": ["tickets:write"]} | expires_at
        assert anonymous.post("/tokens", json=body, headers=short).status_code == 422
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
    response = bearer(anonymous, made["token"])
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]
    assert agent.get(f"/tokens/{made['id']}").json()["revoked_at"]


def test_an_expired_token_is_refused(agent: Person, anonymous: Judged, db: psycopg.Connection[Any]) -> None:
    made = agent.post("/tokens", json={"name": "old", "scopes": ["tickets:read"]}).json()
    db.execute("update tokens set expires_at = now() where id = %s", (made["id"],))
    assert bearer(anonymous, made["token"]).status_code == 401


def test_a_remembered_token_still_expires(
    sign_in: Callable[..., Person], database_url: str, db: psycopg.Connection[Any]
) -> None:
    person = sign_in("agent")
    with spawned(database_url, TICKETING_TOKEN_CACHE_MS="60000") as url, Judged(base_url=url) as client:
        db.execute("update tokens set expires_at = now() + interval '3 s' where user_id = %s", (person.id,))
        assert bearer(client, person.token).status_code == 200
        await_(lambda: bearer(client, person.token).status_code == 401)


@pytest.mark.parametrize("change", ["revoked_at = now()", "expires_at = now()"])
def test_a_dead_token_is_not_used(
    sign_in: Callable[..., Person], anonymous: Judged, db: psycopg.Connection[dict[str, Any]], change: str
) -> None:
    person = sign_in("agent")
    db.execute(f"update tokens set {change} where user_id = %s", (person.id,))
    assert bearer(anonymous, person.token).status_code == 401
    row = db.execute("select last_used_at from tokens where user_id = %s", (person.id,)).fetchone()
    assert row == {"last_used_at": None}


def test_everyone_keeps_their_own_tokens(agent: Person, admin: Person) -> None:
    made = agent.post("/tokens", json={"name": "mine", "scopes": ["tickets:read"]}).json()
    assert admin.get(f"/tokens/{made['id']}").status_code == 404
    assert admin.delete(f"/tokens/{made['id']}").status_code == 404
    assert made["id"] in [token["id"] for token in agent.pages("/tokens", limit=2)]
    assert made["id"] not in [token["id"] for token in admin.pages("/tokens")]


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


@given(st.text(alphabet=auth.ALPHABET, min_size=30, max_size=30), st.integers(0, 36), st.sampled_from(auth.ALPHABET))
def test_a_typo_never_makes_a_well_formed_token(secret: str, place: int, other: str) -> None:
    token = auth.sealed(secret)
    assert auth.well_formed(token)
    wrong = token[: 4 + place] + other + token[5 + place :]
    assert wrong == token or not auth.well_formed(wrong)
