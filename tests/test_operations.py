"""Operations: what operators see of jobs, queues and schedules, and how they step in, by the API and by the command."""

from __future__ import annotations

import io
import json
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from conftest import Person
from test_cli import Run, run
from test_tickets import Events

__all__ = ["run"]
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


def test_jobs_are_listed_by_state_kind_and_queue_newest_first(admin: Person, new_job: NewJob) -> None:
    first = new_job("discarded", kind="test.one", queue="left")
    second = new_job("discarded", kind="test.two", queue="right")
    third = new_job("completed", kind="test.one", queue="right")
    for filters, expected in (
        ({}, [third, second, first]),
        ({"state": "discarded"}, [second, first]),
        ({"kind": "test.one"}, [third, first]),
        ({"queue": "right", "state": "completed"}, [third]),
        ({"queue": "left", "state": "completed"}, []),
    ):
        jobs = admin.pages("/jobs", limit=1, **filters)
        assert [job["id"] for job in jobs] == expected
    link = admin.get("/jobs", params={"state": "discarded", "limit": 1}).headers["link"]
    assert "state=discarded" in link


def test_a_job_shows_the_errors_of_each_attempt_and_of_its_arguments_only_what_is_harmless(
    admin: Person, new_job: NewJob, db: Db
) -> None:
    job_id = new_job("running", args={"ticket": 7, "secret": "canary"}, shown=["ticket"])
    for attempt in (1, 2):
        db.execute("update jobs set attempt = %s, errors = with_error(errors, %s, 'no luck')", (attempt, attempt))
    response = admin.get(f"/jobs/{job_id}")
    job = response.json()
    assert job["args"] == {"ticket": 7, "secret": "redacted"}
    assert [(error["attempt"], error["error"]) for error in job["errors"]] == [(1, "no luck"), (2, "no luck")]
    assert (job["state"], job["kind"], job["queue"], job["priority"]) == ("running", "test.noted", "default", 2)
    assert "canary" not in admin.get("/jobs").text
    assert admin.get(f"/jobs/{job_id}", headers={"If-None-Match": response.headers["etag"]}).status_code == 304
    assert admin.get("/jobs/01a20d1c-6380-7c51-9c5f-5a6f0f2f6d11").status_code == 404


@pytest.mark.parametrize("state", ["discarded", "cancelled", "later"])
def test_a_job_is_retried_with_all_its_attempts(
    admin: Person, new_job: NewJob, new_events: Events, db: Db, state: str
) -> None:
    job_id = new_job("available" if state == "later" else state)
    db.execute("update jobs set attempt = 20, run_at = now() + interval '1 hour'")
    key = {"Idempotency-Key": secrets.token_hex(8)}
    first, again = (admin.post(f"/jobs/{job_id}/retry", headers=key) for _ in range(2))
    job = first.json()
    assert (first.status_code, job["state"], job["attempt"], job["finished_at"]) == (200, "available", 0, None)
    assert db.execute("select from jobs where run_at <= now() and id = %s", (job_id,)).rowcount == 1
    assert (again.status_code, again.json(), again.headers["idempotent-replayed"]) == (200, job, "true")
    (event,) = new_events()
    assert (event["type"], event["data"], event["audience"]) == ("job.retried", job, "internal")
    assert event["previous"] == {"state": "available" if state == "later" else state}
    assert str(event["actor_id"]) == admin.id


@pytest.mark.parametrize(
    ("state", "reason"), [("available", "due already"), ("running", "is running"), ("completed", "has been completed")]
)
def test_what_cannot_be_retried_is_told_why(
    admin: Person, new_job: NewJob, new_events: Events, state: str, reason: str
) -> None:
    response = admin.post(f"/jobs/{new_job(state)}/retry")
    assert (response.status_code, response.json()["code"]) == (409, "conflict")
    assert reason in response.json()["detail"]
    assert new_events() == []


def test_a_job_is_not_retried_beside_another_one_with_its_unique_key(admin: Person, new_job: NewJob) -> None:
    job_id = new_job("discarded", unique_key="one")
    new_job(unique_key="one")
    response = admin.post(f"/jobs/{job_id}/retry")
    assert response.status_code == 409
    assert "unique key" in response.json()["detail"]


def test_a_waiting_job_is_cancelled_and_a_running_one_is_asked_to_end(
    admin: Person, new_job: NewJob, new_events: Events
) -> None:
    waiting, running = new_job(), new_job("running")
    job = admin.post(f"/jobs/{waiting}/cancel").json()
    assert (job["state"], bool(job["finished_at"])) == ("cancelled", True)
    job = admin.post(f"/jobs/{running}/cancel").json()
    assert (job["state"], bool(job["cancel_requested_at"])) == ("running", True)
    assert admin.post(f"/jobs/{running}/cancel").json() == job
    assert [(event["type"], event["data"]["id"]) for event in new_events()] == [
        ("job.cancelled", waiting),
        ("job.cancelled", running),
    ]
    for job_id in (waiting, new_job("completed")):
        response = admin.post(f"/jobs/{job_id}/cancel")
        assert (response.status_code, response.json()["code"]) == (409, "conflict")


def test_a_key_is_for_one_action_on_one_job(admin: Person, new_job: NewJob) -> None:
    key = {"Idempotency-Key": secrets.token_hex(8)}
    assert admin.post(f"/jobs/{new_job('discarded')}/retry", headers=key).status_code == 200
    assert admin.post(f"/jobs/{new_job('discarded')}/retry", headers=key).status_code == 422


def test_a_refused_action_does_not_use_up_its_key(admin: Person, new_job: NewJob, db: Db) -> None:
    job_id, key = new_job("completed"), {"Idempotency-Key": secrets.token_hex(8)}
    assert admin.post(f"/jobs/{job_id}/retry", headers=key).status_code == 409
    db.execute("update jobs set state = 'discarded'")
    assert admin.post(f"/jobs/{job_id}/retry", headers=key).status_code == 200


def test_a_queue_is_paused_and_resumed(admin: Person, new_job: NewJob, new_events: Events, db: Db) -> None:
    new_job(queue="letters")
    new_job(queue="letters")
    new_job("running", queue="letters")
    db.execute("update jobs set run_at = now() + interval '1 hour' where id = (select id from jobs limit 1)")
    paused = admin.post("/queues/letters/pause").json()
    assert paused["paused"]
    assert (paused["name"], paused["due"], paused["scheduled"], paused["running"]) == ("letters", 1, 1, 1)
    again = admin.post("/queues/letters/pause").json()
    assert again["paused_at"] == paused["paused_at"]
    assert [queue["name"] for queue in admin.pages("/queues", limit=1) if queue["paused"]] == ["letters"]
    for _ in range(2):
        resumed = admin.post("/queues/letters/resume").json()
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
    (queue,) = [queue for queue in admin.pages("/queues") if queue["name"] == "letters"]
    assert (queue["due"], queue["scheduled"], queue["running"]) == (2, 0, 0)
    assert queue["oldest_due_seconds"] > 0
    assert admin.post("/queues/letters/pause").json()["due"] == 2


def test_the_jobs_of_a_queue_are_counted_as_far_as_ten_thousand(admin: Person, new_job: NewJob, db: Db) -> None:
    new_job(queue="letters")
    db.execute(
        "insert into jobs (id, kind, queue, priority, args, shown, max_attempts, run_at)"
        " select new_job_id(), kind, queue, 1 + n % 4, args, shown, max_attempts, now() + due"
        " from jobs, generate_series(1, 10001) n, (values (interval '-1 hour'), ('1 hour')) waits (due)"
    )
    queue = admin.post("/queues/letters/pause").json()
    assert (queue["due"], queue["scheduled"]) == (10_000, 10_000)
    assert queue["oldest_due_seconds"] == pytest.approx(3600, abs=60)


def test_an_unknown_queue_cannot_be_paused(admin: Person) -> None:
    assert admin.post("/queues/nowhere/pause").status_code == 404


def test_schedules_are_listed(admin: Person, db: Db) -> None:
    db.execute("delete from job_schedules")
    for name in ("one", "two"):
        db.execute(
            "insert into job_schedules (name, kind, queue, cron, next_run_at)"
            " values (%s, 'test.noted', 'default', '0 4 * * *', '2026-11-25T04:00Z')",
            (name,),
        )
    schedules = admin.pages("/schedules", limit=1)
    assert [schedule["name"] for schedule in schedules] == ["one", "two"]
    assert (schedules[0]["next_run_at"], schedules[0]["last_run_at"]) == ("2026-11-25T04:00:00.000Z", None)
    db.execute("delete from job_schedules")


# The command ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def command(run: Run, database_url: str, admin: Person) -> Callable[..., Any]:
    """Run `ticketing jobs …` on the service's database; gives its exit code and what it wrote."""

    def command(*arguments: str) -> tuple[int, str, str]:
        return run("jobs", *arguments, url=database_url)

    return command


@pytest.mark.parametrize("name", ["list", "show", "retry", "cancel", "queues", "pause", "resume", "schedules"])
def test_every_command_has_an_example(command: Callable[..., Any], name: str) -> None:
    code, out, _ = command(name, "--help")
    assert code == 0
    assert any(line.startswith(f"ticketing jobs {name}") for line in out.partition("For example:")[2].splitlines())


def test_the_command_lists_and_shows(command: Callable[..., Any], new_job: NewJob, db: Db) -> None:
    job_id = new_job("discarded", args={"ticket": 7, "secret": "canary"}, shown=["ticket"])
    new_job("completed")
    db.execute("update jobs set errors = with_error('[]', 1, 'no luck') where id = %s", (job_id,))
    code, out, _ = command("list", "--state", "discarded")
    assert code == 0
    assert [word in out for word in (job_id, "test.noted", "no luck")] == [True] * 3
    assert len(out.splitlines()) == 2
    assert [job["id"] for job in json.loads(command("list", "--state", "discarded", "--json")[1])] == [job_id]
    shown = command("show", job_id)[1]
    assert "attempt 1, " in shown
    assert "canary" not in shown
    assert json.loads(command("show", job_id, "--json")[1])["args"] == {"ticket": 7, "secret": "redacted"}


def test_the_command_steps_in(command: Callable[..., Any], new_job: NewJob, new_events: Events, db: Db) -> None:
    db.execute("delete from job_schedules")
    job_id = new_job("discarded", queue="letters")
    assert json.loads(command("retry", job_id, "--json")[1])["state"] == "available"
    assert json.loads(command("cancel", job_id, "--json")[1])["state"] == "cancelled"
    new_job(queue="letters")
    assert "paused              yes" in command("pause", "letters")[1]
    assert [queue["name"] for queue in json.loads(command("queues", "--json")[1]) if queue["paused"]] == ["letters"]
    assert "paused              no" in command("resume", "letters")[1]
    assert command("schedules", "--json")[1] == "[]\n"
    assert [(event["type"], event["actor_id"]) for event in new_events()] == [
        ("job.retried", None),
        ("job.cancelled", None),
        ("queue.paused", None),
        ("queue.resumed", None),
    ]


def test_the_command_says_what_it_cannot_do(command: Callable[..., Any], new_job: NewJob) -> None:
    code, _, err = command("retry", new_job("completed"))
    assert (code, err) == (1, "ticketing: This job cannot be retried. It has been completed.\n")
    assert command("show", str(UUID(int=7)))[0] == 1
    assert command("pause", "nowhere")[0] == 1
    assert command("show", "seven")[0] == 2


@pytest.mark.parametrize(
    ("verb", "state", "becomes", "event"),
    [
        ("retry", "discarded", "available", "job.retried"),
        ("cancel", "available", "cancelled", "job.cancelled"),
    ],
)
def test_the_command_steps_in_for_many_at_once(
    command: Callable[..., Any],
    new_job: NewJob,
    new_events: Events,
    db: Db,
    verb: str,
    state: str,
    becomes: str,
    event: str,
) -> None:
    queue = f"many_{secrets.token_hex(4)}"
    jobs = [new_job(state, queue=queue) for _ in range(3)]
    others = [new_job(state, queue=f"{queue}_not"), new_job("completed", queue=queue)]
    before = db.execute("select id::text, state::text from jobs where id = any(%s)", (others,)).fetchall()
    new_events()
    code, out, err = command(verb, "--queue", queue)
    assert (code, out) == (1, "")
    assert err.startswith("ticketing: 3 jobs are to be ") and err.endswith(" Say --yes to do it.\n")
    assert new_events() == []
    code, out, _ = command(verb, "--queue", queue, "--yes")
    assert (code, out.startswith("3 ")) == (0, True)
    assert [(e["type"], e["data"]["state"], e["actor_id"]) for e in new_events()] == [(event, becomes, None)] * 3
    rows = db.execute("select distinct state::text from jobs where id = any(%s)", (jobs,)).fetchall()
    assert [row["state"] for row in rows] == [becomes]
    assert db.execute("select id::text, state::text from jobs where id = any(%s)", (others,)).fetchall() == before
    assert command(verb, "--queue", queue, "--yes")[:2] == (0, out.replace("3", "0"))


def test_the_command_tells_how_many_could_not_be(command: Callable[..., Any], new_job: NewJob) -> None:
    queue = f"many_{secrets.token_hex(4)}"
    new_job("available", queue=queue)
    code, out, _ = command("retry", "--state", "available", "--queue", queue, "--yes", "--json")
    assert (code, json.loads(out)) == (1, {"retried": 0, "refused": 1})


@pytest.mark.parametrize("verb", ["retry", "cancel"])
def test_many_are_not_named_by_saying_nothing(command: Callable[..., Any], verb: str) -> None:
    for arguments in ([], ["--yes"], ["--all", "--kind", "x", "--yes"]):
        code, out, err = command(verb, *arguments)
        assert (code, out) == (1, "")
        assert "--kind or --queue, or else --all" in err


def test_whoever_sits_at_a_terminal_is_asked(
    command: Callable[..., Any], new_job: NewJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = f"many_{secrets.token_hex(4)}"
    new_job("discarded", queue=queue)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert command("retry", "--queue", queue)[::2] == (
        1,
        "1 job is to be retried. Do it? [y/N] ticketing: Nothing was done.\n",
    )
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert command("retry", "--queue", queue)[:2] == (0, "1 retried.\n")
