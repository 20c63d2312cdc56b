"""What the service does by itself, on a clock that is moved by moving what lies in the past."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import uuid_utils.compat as uuids

from conftest import Person, Secluded, await_, settled
from ticketing import jobs
from ticketing.db import pool as ticketing_db
from ticketing.db import sql
from ticketing.ground import config
from ticketing.jobs import kinds
from ticketing.reactions import upkeep
from working import do

Connection = psycopg.Connection[dict[str, Any]]


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Change settings for one test."""

    def setting(**changes: Any) -> None:
        changed = dataclasses.replace(config.settings(), **changes)
        monkeypatch.setattr(upkeep, "settings", lambda: changed)

    return setting


@pytest.fixture
def resolved(agent: Person, new_ticket: Callable[..., dict[str, Any]], db: Connection) -> Callable[[int], int]:
    """A ticket that was resolved so many days ago; gives its number."""

    def resolved(days: int) -> int:
        number = int(new_ticket()["number"])
        patch = {"status": "resolved", "resolution": "fixed", "resolution_note": "In 4.2.2."}
        answer = agent.patch(f"/tickets/{number}", json=patch, headers={"Content-Type": "application/merge-patch+json"})
        assert answer.status_code == 200, answer.text
        db.execute(
            "update tickets set resolved_at = resolved_at - %s * interval '1 day' where number = %s", (days, number)
        )
        return number

    return resolved


def test_what_was_resolved_long_ago_is_closed(
    resolved: Callable[[int], int], requester: Person, new_events: Callable[[], list[dict[str, Any]]]
) -> None:
    late, early = resolved(15), resolved(13)
    before = requester.get(f"/tickets/{late}").json()
    new_events()
    do(upkeep.close_resolved_tickets)
    (event,) = [event for event in new_events() if event["ticket"] in (late, early)]
    after = requester.get(f"/tickets/{late}").json()
    assert (after["status"], after["resolution"], after["resolution_note"]) == ("closed", "fixed", "In 4.2.2.")
    assert after["closed_at"] == after["updated_at"] > before["updated_at"]
    assert (event["type"], event["ticket"], event["actor_id"]) == ("ticket.closed", late, None)
    assert event["data"] == after
    assert event["previous"] == {"status": "resolved", "closed_at": None}
    assert requester.get(f"/tickets/{early}").json()["status"] == "resolved"


def test_closing_again_changes_nothing(
    resolved: Callable[[int], int], new_events: Callable[[], list[dict[str, Any]]]
) -> None:
    number = resolved(15)
    do(upkeep.close_resolved_tickets)
    new_events()
    do(upkeep.close_resolved_tickets)
    assert [event for event in new_events() if event["ticket"] == number] == []


def test_more_tickets_than_fit_a_batch_are_closed_in_order(
    resolved: Callable[[int], int],
    monkeypatch: pytest.MonkeyPatch,
    new_events: Callable[[], list[dict[str, Any]]],
) -> None:
    monkeypatch.setattr(upkeep, "BATCH", 2)
    numbers = [resolved(days) for days in (20, 19, 18, 17, 16)]
    new_events()
    do(upkeep.close_resolved_tickets)
    events = [event for event in new_events() if event["type"] == "ticket.closed"]
    assert [event["ticket"] for event in events if event["ticket"] in numbers] == numbers
    assert len({event["id"] for event in events}) == len(events)


def test_a_ticket_that_somebody_changes_right_now_is_closed_later(
    resolved: Callable[[int], int], database_url: str, requester: Person
) -> None:
    number = resolved(15)
    with psycopg.connect(database_url) as busy:
        busy.execute("select from tickets where number = %s for no key update", (number,))
        do(upkeep.close_resolved_tickets)
        assert requester.get(f"/tickets/{number}").json()["status"] == "resolved"
    do(upkeep.close_resolved_tickets)
    assert requester.get(f"/tickets/{number}").json()["status"] == "closed"


def test_zero_days_close_nothing(
    resolved: Callable[[int], int], requester: Person, setting: Callable[..., None]
) -> None:
    number = resolved(1000)
    setting(close_days=0)
    do(upkeep.close_resolved_tickets)
    assert requester.get(f"/tickets/{number}").json()["status"] == "resolved"


@pytest.fixture
def critical(new_ticket: Callable[..., dict[str, Any]], db: Connection) -> Callable[..., dict[str, Any]]:
    """A bug that was opened so many hours ago."""

    def critical(hours: int, severity: str = "critical") -> dict[str, Any]:
        ticket = new_ticket(severity=severity)
        db.execute(
            "update tickets set created_at = created_at - %s * interval '1 hour' where number = %s",
            (hours, ticket["number"]),
        )
        return ticket

    return critical


def test_a_critical_ticket_without_an_answer_is_escalated_once(
    critical: Callable[..., dict[str, Any]],
    requester: Person,
    new_events: Callable[[], list[dict[str, Any]]],
) -> None:
    waiting, fresh, high = critical(5), critical(3), critical(5, "high")
    requester.post(f"/tickets/{waiting['number']}/comments", json={"body": "Is anybody there?"})
    before = requester.get(f"/tickets/{waiting['number']}")
    new_events()
    do(upkeep.escalate_tickets)
    do(upkeep.escalate_tickets)
    numbers = {ticket["number"] for ticket in (waiting, fresh, high)}
    (event,) = [event for event in new_events() if event["ticket"] in numbers]
    assert (event["type"], event["ticket"], event["actor_id"]) == ("ticket.escalated", waiting["number"], None)
    after = requester.get(f"/tickets/{waiting['number']}")
    assert event["data"] == after.json()
    assert event["previous"] == {}
    assert after.headers["etag"] == before.headers["etag"]
    (told,) = [
        event
        for event in requester.pages(f"/tickets/{waiting['number']}/events")
        if event["type"] == "ticket.escalated"
    ]
    assert told["actor"] is None


@pytest.mark.parametrize("visibility", ["public", "internal"])
def test_only_a_public_word_of_an_agent_is_an_answer(
    critical: Callable[..., dict[str, Any]],
    agent: Person,
    new_events: Callable[[], list[dict[str, Any]]],
    visibility: str,
) -> None:
    number = critical(5)["number"]
    agent.post(f"/tickets/{number}/comments", json={"body": "We look into it.", "visibility": visibility})
    new_events()
    do(upkeep.escalate_tickets)
    escalated = [event for event in new_events() if event["ticket"] == number]
    assert bool(escalated) == (visibility == "internal")


def test_zero_hours_escalate_nothing(
    critical: Callable[..., dict[str, Any]],
    setting: Callable[..., None],
    new_events: Callable[[], list[dict[str, Any]]],
) -> None:
    number = critical(1000)["number"]
    setting(escalate_hours=0)
    new_events()
    do(upkeep.escalate_tickets)
    assert [event for event in new_events() if event["ticket"] == number] == []


def test_keys_go_when_they_may_be_used_anew(requester: Person, project: str, db: Connection) -> None:
    body = {"type": "bug", "project": project, "title": "x", "description": ""}
    keys = [f"{project}-{age}" for age in (25, 23)]
    for key in keys:
        assert requester.post("/tickets", json=body, headers={"Idempotency-Key": key}).status_code == 201
    for key in keys:
        hours = int(key.rpartition("-")[2])
        db.execute(
            "update idempotency_keys set created_at = created_at - %s * interval '1 hour' where key = %s", (hours, key)
        )
    do(upkeep.delete_expired_idempotency_keys)
    left = db.execute("select key from idempotency_keys where key = any(%s)", (keys,)).fetchall()
    assert [row["key"] for row in left] == [keys[1]]


Beside = Callable[[str, tuple[Any, ...], Callable[[Any], Awaitable[None]]], None]


@pytest.fixture
def beside(database_url: str, db: Connection) -> Beside:
    """Do a round while somebody else is just changing a row that it would take, and lets it have it then."""

    def beside(change: str, values: tuple[Any, ...], round: Callable[[Any], Awaitable[None]]) -> None:
        waits = "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        with psycopg.connect(database_url) as other, ThreadPoolExecutor() as threads:
            other.execute(change, values)
            done = threads.submit(do, round)
            await_(lambda: done.done() or db.execute(waits).rowcount > 0)
            other.commit()
            done.result(20)

    return beside


def test_a_key_that_is_used_anew_just_now_stays(
    requester: Person, project: str, db: Connection, beside: Beside
) -> None:
    asked = {"type": "bug", "project": project, "title": "T", "description": "D", "severity": "low"}
    assert requester.post("/tickets", json=asked, headers={"Idempotency-Key": project}).status_code == 201
    old = "update idempotency_keys set created_at = created_at - interval '25 hours' where key = %s returning user_id"
    (row,) = db.execute(old, (project,)).fetchall()
    again = "select claim_idempotency_key(%s, %s, 'another', %s)"
    beside(again, (row["user_id"], project, uuids.uuid7()), upkeep.delete_expired_idempotency_keys)
    left = db.execute("select fingerprint from idempotency_keys where key = %s", (project,)).fetchall()
    assert [row["fingerprint"] for row in left] == [b"another"]


def test_a_delivery_that_is_sent_once_more_just_now_stays(db: Connection, beside: Beside) -> None:
    delivery = uuids.uuid7()
    db.execute(
        "insert into deliveries (id, endpoint_id, event_id, type, status, settled_at)"
        " values (%s, %s, %s, 'ticket.created', 'failed', now() - interval '40 days')",
        (delivery, uuids.uuid7(), uuids.uuid7()),
    )

    async def delete(_: Any) -> None:
        async with ticketing_db.connection() as conn:
            await sql.webhooks.delete_old_deliveries(conn, days=30, batch=1000)

    beside("update deliveries set status = 'pending', settled_at = null where id = %s", (delivery,), delete)
    assert db.execute("select from deliveries where id = %s", (delivery,)).rowcount == 1
    db.execute("delete from deliveries where id = %s", (delivery,))


def test_sealed_secrets_go_with_the_keys_that_open_them(requester: Person, db: Connection) -> None:
    body, sealed = {"name": "ci", "scopes": ["tickets:read"]}, "select event_id from sealed_tokens"
    db.execute("delete from sealed_tokens")
    for hours in (25, 0):
        requester.post("/tokens", json=body, headers={"Idempotency-Key": secrets.token_hex(8)})
        db.execute("update sealed_tokens set created_at = created_at - %s * interval '1 hour'", (hours,))
    kept = db.execute(f"{sealed} where created_at > now() - interval '24 h'").fetchall()
    do(upkeep.delete_expired_idempotency_keys)
    assert len(kept) == 1
    assert db.execute(sealed.encode()).fetchall() == kept


def test_events_go_when_they_are_older_than_is_wanted(secluded: Secluded, setting: Callable[..., None]) -> None:
    requester, db = secluded.sign_in("requester"), secluded.db
    db.execute(
        "insert into projects (key, name, visibility, ticket_types) values ('media', 'Media', 'public', '{bug}')"
    )
    body = {"type": "bug", "project": "media", "title": "It stops", "description": ""}
    old, new = (requester.post("/tickets", json=body).json()["number"] for _ in range(2))
    # It goes from its beginning, so that all before it are as old.
    db.execute(
        "update events set recorded_at = recorded_at - interval '31 days'"
        " where position <= (select max(position) from events where ticket = %s)",
        (old,),
    )

    def left() -> list[int]:
        rows = db.execute("select distinct ticket from events where ticket = any(%s) order by 1", ([old, new],))
        return [row["ticket"] for row in rows.fetchall()]

    settled(db)
    do(upkeep.expire_events)
    assert left() == [old, new]
    setting(event_days=30)
    do(upkeep.expire_events)
    assert left() == [new]


def test_every_round_has_its_schedule_and_its_kind() -> None:
    scheduled = {schedule.kind for schedule in kinds.SCHEDULES.values()}
    assert {
        "tickets.close_resolved",
        "tickets.escalate",
        "idempotency_keys.delete_expired",
        "events.expire",
    } <= scheduled
    assert all(jobs.kind(kind).queue == "upkeep" for kind in scheduled if kind.startswith(("tickets.", "idem")))
