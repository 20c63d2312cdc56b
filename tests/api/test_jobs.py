"""Jobs, as operators see them, and how they step in."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb
from test_feed import end, since
from test_tickets import Events

from conftest import Person

Db = psycopg.Connection[dict[str, Any]]
NewJob = Callable[..., str]


@pytest.fixture
def new_job(db: Db) -> Iterator[NewJob]:
    """Enqueue a job that no worker takes, and bring it into a state; gives its id."""

    def new_job(state: str = "available", *, args: dict[str, Any] | None = None, **options: Any) -> str:
        given = {"kind": "test.noted", "args": Jsonb(args or {}), **options}
        named = ", ".join(f"{name} => %({name})s" for name in given)
        row = db.execute(f"select enqueue_job({named}) as id", given).fetchone()
        assert row
        db.execute(
            "update jobs set state = s, lease_until = case s when 'running' then now() end,"
            " finished_at = case when s not in ('available', 'running') then now() end"
            " from (select %(state)s::job_state) chosen (s) where id = %(id)s",
            {"state": state, "id": row["id"]},
        )
        time.sleep(0.001)  # Ids of one millisecond are in no order.
        return str(row["id"])

    db.execute("delete from jobs")
    yield new_job
    db.execute("delete from jobs")
    db.execute("delete from job_pauses")


def test_jobs_are_listed_by_status_type_and_queue_newest_first(admin: Person, new_job: NewJob) -> None:
    first = new_job("discarded", kind="test.one", queue="left")
    second = new_job("discarded", kind="test.two", queue="right")
    third = new_job("completed", kind="test.one", queue="right")
    for filters, expected in (
        ({}, [third, second, first]),
        ({"status": "discarded"}, [second, first]),
        ({"type": "test.one"}, [third, first]),
        ({"queue": "right", "status": "completed"}, [third]),
        ({"queue": "left", "status": "completed"}, []),
    ):
        jobs = admin.pages("/ops/v1/jobs", limit=1, **filters)
        assert [job["id"] for job in jobs] == expected
    link = admin.get("/ops/v1/jobs", params={"status": "discarded", "limit": 1}).headers["link"]
    assert "status=discarded" in link


def test_a_job_shows_the_errors_of_each_attempt_and_of_its_arguments_only_what_is_harmless(
    admin: Person, new_job: NewJob, db: Db
) -> None:
    job_id = new_job("running", args={"ticket": 7, "secret": "canary"}, shown=["ticket"])
    for attempt in (1, 2):
        db.execute("update jobs set attempt = %s, errors = with_error(errors, %s, 'no luck')", (attempt, attempt))
    response = admin.get(f"/ops/v1/jobs/{job_id}")
    job = response.json()
    assert job["args"] == {"ticket": 7, "secret": "redacted"}
    assert [(error["attempt"], error["error"]) for error in job["errors"]] == [(1, "no luck"), (2, "no luck")]
    assert (job["status"], job["type"], job["queue"], job["priority"]) == ("running", "test.noted", "default", 2)
    assert "canary" not in admin.get("/ops/v1/jobs").text
    assert admin.get(f"/ops/v1/jobs/{job_id}", headers={"If-None-Match": response.headers["etag"]}).status_code == 304
    assert admin.get("/ops/v1/jobs/01a20d1c-6380-7c51-9c5f-5a6f0f2f6d11").status_code == 404


@pytest.mark.parametrize("state", ["discarded", "cancelled", "later"])
def test_a_job_is_retried_with_all_its_attempts(
    admin: Person, new_job: NewJob, new_events: Events, db: Db, state: str
) -> None:
    job_id = new_job("available" if state == "later" else state)
    db.execute("update jobs set attempt = 20, run_at = now() + interval '1 hour'")
    key = {"Idempotency-Key": secrets.token_hex(8)}
    first, again = (admin.post(f"/ops/v1/jobs/{job_id}/retries", headers=key) for _ in range(2))
    job = first.json()
    assert (first.status_code, job["status"], job["attempt"], job["finished_at"]) == (202, "available", 0, None)
    assert db.execute("select from jobs where run_at <= now() and id = %s", (job_id,)).rowcount == 1
    assert (again.status_code, again.json(), again.headers["idempotent-replayed"]) == (202, job, "true")
    (event,) = new_events()
    assert (event["type"], event["data"], event["internal"]) == ("job.retried", job, True)
    assert event["previous"] == {"status": "available" if state == "later" else state}
    assert str(event["actor_id"]) == admin.id


@pytest.mark.parametrize(
    ("state", "reason"), [("available", "due already"), ("running", "is running"), ("completed", "has been completed")]
)
def test_what_cannot_be_retried_is_told_why(
    admin: Person, new_job: NewJob, new_events: Events, state: str, reason: str
) -> None:
    response = admin.post(f"/ops/v1/jobs/{new_job(state)}/retries")
    assert (response.status_code, response.json()["code"]) == (409, "job_not_retriable")
    assert reason in response.json()["detail"]
    assert new_events() == []


def test_a_job_is_not_retried_beside_another_one_with_its_unique_key(admin: Person, new_job: NewJob) -> None:
    job_id = new_job("discarded", unique_key="one")
    new_job(unique_key="one")
    response = admin.post(f"/ops/v1/jobs/{job_id}/retries")
    assert response.status_code == 409
    assert "unique key" in response.json()["detail"]


def test_a_waiting_job_is_cancelled_and_a_running_one_is_asked_to_end(
    admin: Person, new_job: NewJob, new_events: Events
) -> None:
    waiting, running = new_job(), new_job("running")
    job = admin.post(f"/ops/v1/jobs/{waiting}/cancellations").json()
    assert (job["status"], bool(job["finished_at"])) == ("cancelled", True)
    job = admin.post(f"/ops/v1/jobs/{running}/cancellations").json()
    assert (job["status"], bool(job["cancel_requested_at"])) == ("running", True)
    assert admin.post(f"/ops/v1/jobs/{running}/cancellations").json() == job
    assert [(event["type"], event["data"]["id"]) for event in new_events()] == [
        ("job.cancelled", waiting),
        ("job.cancelled", running),
    ]
    for job_id in (waiting, new_job("completed")):
        response = admin.post(f"/ops/v1/jobs/{job_id}/cancellations")
        assert (response.status_code, response.json()["code"]) == (409, "job_ended")


def test_a_job_that_waits_again_is_cancelled_although_it_was_asked_to_end_before(
    admin: Person, new_job: NewJob, db: Db
) -> None:
    job_id = new_job()
    db.execute("update jobs set cancel_requested_at = now() - interval '1 hour' where id = %s", (job_id,))
    response = admin.post(f"/ops/v1/jobs/{job_id}/cancellations")
    assert (response.status_code, response.json()["status"]) == (202, "cancelled"), response.text


def test_a_key_is_for_one_action_on_one_job(admin: Person, new_job: NewJob) -> None:
    key = {"Idempotency-Key": secrets.token_hex(8)}
    assert admin.post(f"/ops/v1/jobs/{new_job('discarded')}/retries", headers=key).status_code == 202
    assert admin.post(f"/ops/v1/jobs/{new_job('discarded')}/retries", headers=key).status_code == 422


def test_a_refused_action_does_not_use_up_its_key(admin: Person, new_job: NewJob, db: Db) -> None:
    job_id, key = new_job("completed"), {"Idempotency-Key": secrets.token_hex(8)}
    assert admin.post(f"/ops/v1/jobs/{job_id}/retries", headers=key).status_code == 409
    db.execute("update jobs set state = 'discarded'")
    assert admin.post(f"/ops/v1/jobs/{job_id}/retries", headers=key).status_code == 202


def test_what_the_release_before_wrote_of_a_job_is_told_by_today_s_names(
    admin: Person, new_job: NewJob, db: Db
) -> None:
    """In the feed, and to who repeats a request."""
    retry, key = f"/ops/v1/jobs/{new_job('discarded')}/retries", {"Idempotency-Key": secrets.token_hex(8)}
    start = end(admin, type="job.retried")
    first = admin.post(retry, headers=key).json()
    older = "jsonb_build_object('state', data -> 'status', 'kind', data -> 'type')"
    db.execute(
        f"update events set data = data - '{{status,type}}'::text[] || {older},"
        " previous = jsonb_build_object('state', previous -> 'status') where type = 'job.retried'"
    )
    assert admin.post(retry, headers=key).json() == first
    (event,) = since(admin, start, type="job.retried")
    assert (event["data"], event["previous"]) == (first, {"status": "discarded"})
