"""Queues of jobs, as operators see them, pause them and let them go on."""

from __future__ import annotations

from typing import Any

import pytest
from test_jobs import Db, NewJob, new_job
from test_tickets import Events

from conftest import Person

__all__ = ["new_job"]


def test_a_queue_is_paused_and_resumed(admin: Person, new_job: NewJob, new_events: Events, db: Db) -> None:
    new_job(queue="letters")
    later = new_job(queue="letters")
    new_job("running", queue="letters")
    db.execute("update jobs set run_at = now() + interval '1 hour' where id = %s", (later,))
    paused = admin.post("/ops/v1/queues/letters/pause").json()
    assert paused["paused"]
    assert (paused["name"], paused["due"], paused["scheduled"], paused["running"]) == ("letters", 1, 1, 1)
    again = admin.post("/ops/v1/queues/letters/pause").json()
    assert again["paused_at"] == paused["paused_at"]
    assert [queue["name"] for queue in admin.pages("/ops/v1/queues", limit=1) if queue["paused"]] == ["letters"]
    for _ in range(2):
        resumed = admin.post("/ops/v1/queues/letters/resume").json()
        assert (resumed["paused"], resumed["paused_at"]) == (False, None)
    assert [event["type"] for event in new_events()] == ["queue.paused", "queue.resumed"]


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
    assert admin.post("/ops/v1/queues/letters/pause").json()["due"] == 2


def test_the_jobs_of_a_queue_are_counted_as_far_as_ten_thousand(admin: Person, new_job: NewJob, db: Db) -> None:
    new_job(queue="letters")
    db.execute(
        "insert into jobs (id, kind, queue, priority, args, shown, max_attempts, run_at)"
        " select new_job_id(), kind, queue, 1 + n % 4, args, shown, max_attempts, now() + due"
        " from jobs, generate_series(1, 10001) n, (values (interval '-1 hour'), ('1 hour')) waits (due)"
    )
    queue = admin.post("/ops/v1/queues/letters/pause").json()
    assert (queue["due"], queue["scheduled"]) == (10_000, 10_000)
    assert queue["oldest_due_seconds"] == pytest.approx(3600, abs=60)


def test_an_unknown_queue_cannot_be_paused(admin: Person) -> None:
    assert admin.post("/ops/v1/queues/nowhere/pause").status_code == 404
