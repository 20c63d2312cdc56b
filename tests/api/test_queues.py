"""Queues of jobs, as operators see them, pause them and let them go on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from test_jobs import Db, NewJob, new_job
from test_tickets import Events

from conftest import Person

__all__ = ["new_job"]
LETTERS = "/ops/v1/queues/letters"


def pause(by: Person, *, paused: bool = True, path: str = LETTERS, **headers: str) -> httpx.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return by.request("PATCH", path, json={"paused": paused}, headers=given)


def test_a_queue_is_paused_and_resumed(admin: Person, new_job: NewJob, new_events: Events, db: Db) -> None:
    new_job(queue="letters")
    later = new_job(queue="letters")
    new_job("running", queue="letters")
    db.execute("update jobs set run_at = now() + interval '1 hour' where id = %s", (later,))
    paused = pause(admin).json()
    assert paused["paused"]
    assert (paused["name"], paused["due"], paused["scheduled"], paused["running"]) == ("letters", 1, 1, 1)
    again = pause(admin).json()
    assert again["paused_at"] == paused["paused_at"]
    assert [queue["name"] for queue in admin.pages("/ops/v1/queues", limit=1) if queue["paused"]] == ["letters"]
    assert admin.get(LETTERS).json()["paused_at"] == paused["paused_at"]
    for _ in range(2):
        resumed = pause(admin, paused=False).json()
        assert (resumed["paused"], resumed["paused_at"]) == (False, None)
    first, second = new_events()
    assert (first["type"], first["data"], first["previous"]) == (
        "queue.paused",
        paused,
        {"paused": False, "paused_at": None},
    )
    assert (second["type"], second["previous"]) == (
        "queue.resumed",
        {"paused": True, "paused_at": paused["paused_at"]},
    )
    assert {str(event["actor_id"]) for event in (first, second)} == {admin.id}


def test_only_what_was_read_is_paused(admin: Person, new_job: NewJob, new_events: Events) -> None:
    new_job(queue="letters")
    read = admin.get(LETTERS)
    new_job(queue="letters")
    assert pause(admin, If_Match=read.headers["etag"]).status_code == 200, "that jobs come is no edit"
    for paused in (True, False):
        stale = pause(admin, paused=paused, If_Match=read.headers["etag"])
        assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    assert [event["type"] for event in new_events()] == ["queue.paused"]


def test_what_was_read_can_be_sent_back_though_jobs_came(admin: Person, new_job: NewJob) -> None:
    new_job(queue="letters")
    read = admin.get(LETTERS)
    new_job(queue="letters")
    body = read.json() | {"paused": True}
    unversioned = {name: value for name, value in body.items() if name != "version"}
    assert admin.request("PATCH", LETTERS, json=unversioned).status_code == 422
    answer = admin.request("PATCH", LETTERS, json=unversioned, headers={"If-Match": read.headers["etag"]})
    assert (answer.status_code, answer.json()["paused"], answer.json()["due"]) == (200, True, 2)
    assert admin.request("PATCH", LETTERS, json=body).status_code == 412
    answer = admin.request("PATCH", LETTERS, json=answer.json())
    assert (answer.status_code, answer.json()["paused"], answer.json()["due"]) == (200, True, 2)
    for wrong in ({}, {"paused": None}, {"paused": "yes"}, {"name": "bills"}, {"paused": True, "priority": 1}):
        assert admin.request("PATCH", LETTERS, json=wrong).status_code == 422, wrong


def test_of_many_who_pause_it_at_once_one_does(admin: Person, new_job: NewJob, new_events: Events) -> None:
    new_job(queue="letters")
    tag = admin.get(LETTERS).headers["etag"]
    with ThreadPoolExecutor(8) as threads:
        plain = list(threads.map(lambda _: pause(admin).status_code, range(8)))
    assert plain == [200] * 8
    assert pause(admin, paused=False).status_code == 200
    with ThreadPoolExecutor(8) as threads:
        careful = list(threads.map(lambda _: pause(admin, If_Match=tag).status_code, range(8)))
    assert sorted(careful) == [200, *[412] * 7]
    assert [event["type"] for event in new_events()] == ["queue.paused", "queue.resumed", "queue.paused"]


@pytest.mark.parametrize(
    "lane", [{}, {"group_name": "'somebody'", "group_limit": 2}, {"ordering_key": "'somebody'"}], ids=str
)
def test_every_queue_with_work_is_listed_counted_and_can_be_paused(
    admin: Person, new_job: NewJob, lane: dict[str, Any]
) -> None:
    for _ in range(2):
        new_job(queue="letters", **lane)
    (queue,) = [queue for queue in admin.pages("/ops/v1/queues") if queue["name"] == "letters"]
    assert (queue["due"], queue["scheduled"], queue["running"]) == (2, 0, 0)
    assert queue["oldest_due_seconds"] > 0
    assert pause(admin).json()["due"] == 2


def test_the_jobs_of_a_queue_are_counted_as_far_as_ten_thousand(admin: Person, new_job: NewJob, db: Db) -> None:
    new_job(queue="letters")
    db.execute(
        "insert into jobs (id, kind, queue, priority, args, shown, max_attempts, run_at)"
        " select new_job_id(), kind, queue, 1 + n % 4, args, shown, max_attempts, now() + due"
        " from jobs, generate_series(1, 10001) n, (values (interval '-1 hour'), ('1 hour')) waits (due)"
    )
    queue = admin.get(LETTERS).json()
    assert (queue["due"], queue["scheduled"]) == (10_000, 10_000)
    assert queue["oldest_due_seconds"] == pytest.approx(3600, abs=60)


def test_a_queue_is_read_again_only_if_it_has_changed(admin: Person, new_job: NewJob) -> None:
    path = "/ops/v1/queues/upkeep"
    headers = {"If-None-Match": admin.get(path).headers["etag"]}
    assert admin.get(path, headers=headers).status_code == 304
    new_job(queue="upkeep")
    assert admin.get(path, headers=headers).status_code == 200


def test_there_is_no_unknown_queue(admin: Person) -> None:
    assert admin.get("/ops/v1/queues/nowhere").status_code == 404
    assert pause(admin, path="/ops/v1/queues/nowhere").status_code == 404
