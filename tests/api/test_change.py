"""A change of several rows: all of it or nothing, each event with its state, and no deadlock whoever comes first."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest
from test_tickets import MERGE_PATCH, Events

from conftest import Person
from ticketing.access.actors import OPERATOR
from ticketing.db import pool, sql
from ticketing.ground.errors import KeyInFlight, OwnRights
from ticketing.writing.change import changing
from ticketing.writing.idempotency import Claim, claim

Db = psycopg.Connection[dict[str, Any]]
SignIn = Callable[..., Person]


def tokens_of(db: Db, person: Person) -> dict[str, Any]:
    return {
        str(row["id"]): row["revoked_at"]
        for row in db.execute("select id, revoked_at from tokens where user_id = %s order by id", (person.id,))
    }


def chain(by: Person, length: int) -> list[str]:
    """Tokens of which each was made with the one before; gives their ids."""
    ids, token = [], by.token
    for _ in range(length):
        body = {"name": "x", "scopes": ["tickets:read", "tickets:write"]}
        made = by.post("/tokens", json=body, headers={"Authorization": f"Bearer {token}"})
        assert made.status_code == 201, made.text
        ids.append(made.json()["id"])
        token = made.json()["token"]
    return ids


def test_a_user_and_all_tokens_end_together_each_with_its_event(
    sign_in: SignIn, admin: Person, db: Db, new_events: Events
) -> None:
    user = sign_in("agent")
    made = chain(user, 5)
    new_events()
    answer = admin.request("PATCH", f"/users/{user.id}", json={"active": False}, headers=MERGE_PATCH)
    assert answer.status_code == 200
    tokens = tokens_of(db, user)
    assert set(made) < tokens.keys() and None not in tokens.values()
    first, *ended = new_events()
    assert (first["type"], first["data"], first["previous"]) == ("user.updated", answer.json(), {"active": True})
    assert [event["type"] for event in ended] == ["token.revoked"] * 6
    assert [event["data"]["id"] for event in ended] == sorted(tokens)
    assert {event["transaction_id"] for event in (first, *ended)} == {first["transaction_id"]}
    for event in ended:
        row = db.execute(
            "select to_jsonb(r) as resource from tokens t cross join lateral token_resource(t) r where t.id = %s",
            (event["data"]["id"],),
        ).fetchone()
        assert row and event["data"] == row["resource"]
        assert event["previous"] == {"revoked_at": None}
        assert (str(event["actor_id"]), event["internal"], event["ticket"]) == (admin.id, True, None)


def test_changes_of_the_same_rows_from_both_ends_lose_nothing(
    sign_in: SignIn, admin: Person, db: Db, new_events: Events
) -> None:
    """One ends all tokens of a user, others each a part of them, begun from the first and from the last."""
    deadlocks = "select deadlocks from pg_stat_database where datname = current_database()"
    for _ in range(6):
        user = sign_in("agent")
        made = chain(user, 8)
        new_events()
        before = db.execute(deadlocks).fetchone()
        start = threading.Barrier(6)

        def revoke(token_id: str, user: Person = user, start: threading.Barrier = start) -> int:
            start.wait()
            path = f"/users/{user.id}/tokens/{token_id}"
            status: int = admin.delete(path, params={"children": "true"}).status_code
            return status

        def deactivate(user: Person = user, start: threading.Barrier = start) -> int:
            start.wait()
            path, body = f"/users/{user.id}", {"active": False}
            status: int = admin.request("PATCH", path, json=body, headers=MERGE_PATCH).status_code
            return status

        with ThreadPoolExecutor(6) as threads:
            ends = [threads.submit(revoke, made[n]) for n in (7, 0, 4, 2, 6)] + [threads.submit(deactivate)]
            assert [end.result() for end in ends] == [204] * 5 + [200]
        assert None not in tokens_of(db, user).values()
        events = [event for event in new_events() if event["type"] == "token.revoked"]
        assert sorted(event["data"]["id"] for event in events) == sorted(tokens_of(db, user)), "each once"
        db.execute("select pg_stat_clear_snapshot()")
        assert db.execute(deadlocks).fetchone() == before


@pytest.fixture
def connected(service: str, database_url: str) -> Callable[..., Any]:
    """Run a coroutine with a pool of its own."""

    def run(work: Callable[[], Any]) -> Any:
        async def within() -> Any:
            async with pool.connected(database_url, 2):
                return await work()

        return asyncio.run(within())

    return run


def test_of_what_is_killed_in_the_middle_nothing_is_there(
    sign_in: SignIn, connected: Callable[..., Any], db: Db, new_events: Events
) -> None:
    user = sign_in("agent")
    new_events()

    async def half() -> None:
        async with pool.transaction() as conn, changing(conn, OPERATOR) as change:
            locked = await sql.tokens.lock_tokens_with(conn, user_id=UUID(user.id), scopes=["tickets:read"])
            for token in await sql.tokens.revoke_tokens(conn, token_ids=[each["id"] for each in locked]):
                change.record("token.revoked", token, internal=True)
            await change.end()
            db.execute("select pg_terminate_backend(%s)", (conn.info.backend_pid,))

    with pytest.raises(pool.Unavailable):
        connected(half)
    assert list(tokens_of(db, user).values()) == [None]
    assert new_events() == []


def test_the_key_is_claimed_first_and_answers_with_the_first_event(
    sign_in: SignIn, connected: Callable[..., Any], db: Db, new_events: Events
) -> None:
    admin = sign_in("admin")
    actor = type("Someone", (), {"id": UUID(admin.id)})()
    asked = claim(secrets.token_hex(8), "merge", 1)
    new_events()

    async def merge(claimed: Claim, fail: bool = False) -> None:
        async with pool.transaction() as conn, changing(conn, actor, claimed) as change:
            change.record(
                "ticket.updated",
                {"number": 1, "n": "é"},
                previous={"n": None},
                ticket=1,
                project="p",
                internal=False,
            )
            change.record("ticket.closed", {"number": 2}, ticket=2, internal=True)
            if fail:
                raise OwnRights("refused")

    with pytest.raises(OwnRights, match="refused"):
        connected(lambda: merge(asked, fail=True))
    assert new_events() == []
    connected(lambda: merge(asked))
    first, second = new_events()
    assert (first["id"], first["type"]) == (asked.event_id, "ticket.updated")
    assert first["data"].items() >= {"number": 1, "n": "é"}.items()
    assert (first["previous"], first["ticket"], first["project"], first["internal"]) == ({"n": None}, 1, "p", False)
    assert (second["type"], second["ticket"], second["internal"]) == ("ticket.closed", 2, True)
    assert first["transaction_id"] == second["transaction_id"] and first["position"] < second["position"]
    with pytest.raises(KeyInFlight, match="used just now"):
        connected(lambda: merge(claim(asked.key, "merge", 1)))
    assert new_events() == []

    async def nothing(claimed: Claim) -> None:
        async with pool.transaction() as conn, changing(conn, actor, claimed):
            claimed.unchanged(None)

    free = claim(secrets.token_hex(8), "merge", 1)
    connected(lambda: nothing(free))
    assert db.execute("select from idempotency_keys where key = %s", (free.key,)).fetchall() == []
    db.execute("delete from events where id = any(%s)", ([first["id"], second["id"]],))
