"""Presences: agents see who else is at a ticket, for half a minute, and nobody else does."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from test_tickets import Events, New

from conftest import Person
from ticketing.db import pool, sql

Db = psycopg.Connection[dict[str, Any]]


def note(by: Person, number: int, activity: str = "viewing") -> Any:
    return by.post(f"/tickets/{number}/presences", json={"activity": activity})


def test_agents_see_each_other_and_not_themselves(
    agent: Person, admin: Person, new_ticket: New, new_events: Events
) -> None:
    number, other = new_ticket()["number"], new_ticket()["number"]
    new_events()
    alone = note(agent, number)
    assert (alone.status_code, alone.json()) == (201, {"items": []})
    (first,) = note(admin, number, "replying").json()["items"]
    assert (first["user"], first["activity"]) == (agent.ref, "viewing")
    (second,) = note(agent, number, "replying").json()["items"]
    assert (second["user"], second["activity"]) == (admin.ref, "replying")
    (third,) = note(admin, number).json()["items"]
    assert third["activity"] == "replying" and third["seen_at"] >= first["seen_at"]
    assert note(agent, other).json() == {"items": []}
    assert new_events() == []


def test_who_said_nothing_for_half_a_minute_is_gone(agent: Person, admin: Person, new_ticket: New, db: Db) -> None:
    number = new_ticket()["number"]
    note(agent, number)
    db.execute("update presences set seen_at = now() - interval '29 seconds' where ticket = %s", (number,))
    assert len(note(admin, number).json()["items"]) == 1
    db.execute("update presences set seen_at = now() - interval '31 seconds' where user_id = %s", (agent.id,))
    assert note(admin, number).json()["items"] == []


def test_requesters_neither_say_nor_see_it(
    requester: Person, stranger: Person, agent: Person, agent_elsewhere: Person, new_ticket: New, db: Db
) -> None:
    number = new_ticket()["number"]
    note(agent, number)
    refused = note(requester, number)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    for nobody in (stranger, agent_elsewhere):
        assert note(nobody, number).status_code == 404
    assert note(agent, 99_999_999).status_code == 404
    rows = db.execute("select user_id from presences where ticket = %s", (number,)).fetchall()
    assert [str(row["user_id"]) for row in rows] == [agent.id]


def leave(by: Person, number: int) -> Any:
    return by.delete(f"/tickets/{number}/presences")


def test_who_leaves_is_gone_at_once_and_nobody_else_is(
    agent: Person, admin: Person, new_ticket: New, new_events: Events
) -> None:
    number, other = new_ticket()["number"], new_ticket()["number"]
    for by, where in ((agent, number), (agent, other), (admin, number)):
        note(by, where, "replying")
    new_events()
    assert [leave(agent, number).status_code for _ in range(2)] == [204, 204]
    assert note(admin, number).json()["items"] == []
    assert [each["user"] for each in note(agent, number).json()["items"]] == [admin.ref]
    assert [each["user"] for each in note(admin, other).json()["items"]] == [agent.ref]
    assert new_events() == []


def test_requesters_cannot_leave_what_they_cannot_be_at(
    requester: Person, stranger: Person, agent: Person, admin: Person, agent_elsewhere: Person, new_ticket: New
) -> None:
    number = new_ticket()["number"]
    note(agent, number)
    refused = leave(requester, number)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    for nobody in (stranger, agent_elsewhere):
        assert leave(nobody, number).status_code == 404
    assert leave(agent, 99_999_999).status_code == 404
    assert [each["user"] for each in note(admin, number).json()["items"]] == [agent.ref]


@pytest.mark.parametrize("body", [{}, {"activity": "sleeping"}, {"activity": "viewing", "user": "x"}])
def test_what_cannot_be_said(agent: Person, new_ticket: New, body: dict[str, Any]) -> None:
    assert agent.post(f"/tickets/{new_ticket()['number']}/presences", json=body).status_code == 422


def test_many_at_once(agent: Person, admin: Person, new_ticket: New) -> None:
    number = new_ticket()["number"]
    with ThreadPoolExecutor(8) as threads:
        ends = [threads.submit(note, (agent, admin)[n % 2], number) for n in range(24)]
        assert {end.result().status_code for end in ends} == {201}
    assert [each["user"] for each in note(agent, number).json()["items"]] == [admin.ref]


def test_what_is_over_is_deleted(agent: Person, admin: Person, new_ticket: New, db: Db, database_url: str) -> None:
    number = new_ticket()["number"]
    note(agent, number)
    note(admin, number)
    db.execute(
        "update presences set seen_at = now() - interval '31 seconds' where (ticket, user_id) = (%s, %s)",
        (number, agent.id),
    )

    async def delete() -> None:
        async with pool.connected(database_url, 1), pool.connection() as conn:
            await sql.presences.delete_expired_presences(conn)

    asyncio.run(delete())
    rows = db.execute("select user_id from presences where ticket = %s", (number,)).fetchall()
    assert [str(row["user_id"]) for row in rows] == [admin.id]
