"""/ops/v1/health: what admins see of what the doctor says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from conftest import Person, await_
from ticketing.db import pool
from ticketing.monitoring import checks, health
from ticketing.monitoring.checks import Check

PATH = "/ops/v1/health"


@pytest.fixture(autouse=True)
def _looked_at_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request looks again, unless another one is looking."""
    monkeypatch.setattr(health, "FRESH_SECONDS", -1.0)


def told(by: Person) -> dict[str, dict[str, Any]]:
    answer = by.get(PATH)
    assert answer.status_code == 200, answer.text
    return {check["name"]: check for check in answer.json()["checks"]}


def test_every_check_has_a_name_a_status_and_a_sentence(admin: Person) -> None:
    answer = admin.get(PATH).json()
    for check in answer["checks"]:
        assert check["status"] in ("ok", "warning", "failed")
        assert check["detail"][0] in check["detail"][0].upper()
        assert check["detail"].endswith(".")
        assert (check["hint"] == "") or check["status"] != "ok" or check["name"] == "Schema"
    names = [check["name"] for check in answer["checks"]]
    assert {"Settings", "PostgreSQL", "Schema", "Event log", "Worker", "Queues"} <= set(names)
    assert len(set(names)) == len(names)
    worst = {check["status"] for check in answer["checks"]}
    assert answer["status"] == next(status for status in ("failed", "warning", "ok") if status in worst)


def test_what_is_wrong_is_told_with_what_to_do(admin: Person, db: psycopg.Connection[Any]) -> None:
    assert told(admin)["Queues"]["status"] == "ok"
    db.execute("insert into job_pauses (queue) values ('upkeep')")
    try:
        check = told(admin)["Queues"]
    finally:
        db.execute("delete from job_pauses where queue = 'upkeep'")
    assert check["status"] == "failed"
    assert check["detail"].startswith("Paused: upkeep")
    assert check["hint"] == "Their jobs wait until `ticketing jobs resume QUEUE`."
    assert told(admin)["Queues"]["status"] == "ok"


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often PostgreSQL was looked at, slowly."""
    counted: list[int] = []
    look = checks.database

    async def database(chosen: Any) -> AsyncIterator[Check]:
        counted.append(1)
        await asyncio.sleep(0.02)
        async for check in look(chosen):
            yield check

    monkeypatch.setattr(checks, "database", database)
    return counted


def test_whoever_asks_at_the_same_time_shares_a_look(admin: Person, looks: list[int]) -> None:
    with ThreadPoolExecutor(8) as clients:
        assert [each.status_code for each in clients.map(lambda _: admin.get(PATH), range(8))] == [200] * 8
    assert len(looks) < 8


def test_a_look_is_told_again_for_some_seconds(
    admin: Person, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "FRESH_SECONDS", 60.0)
    first = admin.get(PATH).json()
    assert admin.get(PATH).json() == first
    assert len(looks) <= 1


def test_what_does_not_answer_in_time_is_told_as_failed(admin: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    async def database(_: Any) -> AsyncIterator[Check]:
        yield Check("PostgreSQL", True, "release 18.")
        await asyncio.Event().wait()

    monkeypatch.setattr(checks, "database", database)
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.05)
    found = [check for check in admin.get(PATH).json()["checks"] if check["name"] == "PostgreSQL"]
    assert [check["status"] for check in found] == ["failed"]


def test_a_look_that_broke_is_not_told_again(admin: Person, monkeypatch: pytest.MonkeyPatch, looks: list[int]) -> None:
    def breaks(_: Any) -> list[Check]:
        raise pool.Unavailable("Something is not there.")

    with monkeypatch.context() as broken:
        broken.setattr(checks, "configured", breaks)
        assert admin.get(PATH).status_code == 503
    monkeypatch.setattr(health, "FRESH_SECONDS", 60.0)
    assert admin.get(PATH).status_code == 200


def test_health_takes_no_connection_of_the_pool(
    admin: Person, requester: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While somebody looks, and PostgreSQL is slow to say, everybody else is answered."""
    entered: list[int] = []
    go_on: list[int] = []

    async def database(_: Any) -> AsyncIterator[Check]:
        entered.append(1)
        while not go_on:
            await asyncio.sleep(0.01)
        yield Check("PostgreSQL", True, "release 18.")

    monkeypatch.setattr(checks, "database", database)
    with ThreadPoolExecutor(12) as clients:
        asked = [clients.submit(admin.get, PATH) for _ in range(12)]
        await_(lambda: bool(entered))
        assert requester.get("/me").status_code == 200
        assert requester.get("/tickets").status_code == 200
        go_on.append(1)
        assert {each.result().status_code for each in asked} == {200}
    assert len(entered) <= 2


def test_only_admins(sign_in: Callable[..., Person], looks: list[int]) -> None:
    for role in ("requester", "agent"):
        assert sign_in(role).get(PATH).status_code == 403
    assert looks == []
