"""`ticketing jobs`: what operators see of jobs, queues and schedules, and how they step in."""

from __future__ import annotations

import io
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from test_cli import Run, run
from test_jobs import Db, NewJob, new_job
from test_tickets import Events

from conftest import Person
from ticketing.jobs import kinds

__all__ = ["new_job", "run"]


@pytest.fixture
def command(run: Run, database_url: str, admin: Person) -> Callable[..., Any]:
    """Run `ticketing jobs …` on the service's database; gives its exit code and what it wrote."""

    def command(*arguments: str) -> tuple[int, str, str]:
        return run("jobs", *arguments, url=database_url)

    return command


def test_the_command_lists_and_shows(command: Callable[..., Any], new_job: NewJob, db: Db) -> None:
    job_id = new_job("discarded", args={"ticket": 7, "secret": "canary"}, shown=["ticket"])
    new_job("completed")
    db.execute("update jobs set errors = with_error('[]', 1, 'no luck') where id = %s", (job_id,))
    code, out, _ = command("list", "--status", "discarded")
    assert code == 0
    assert [word in out for word in (job_id, "test.noted", "no luck")] == [True] * 3
    assert len(out.splitlines()) == 2
    assert [job["id"] for job in json.loads(command("list", "--status", "discarded", "--json")[1])] == [job_id]
    shown = command("show", job_id)[1]
    assert "attempt 1, " in shown
    assert "canary" not in shown
    assert json.loads(command("show", job_id, "--json")[1])["args"] == {"ticket": 7, "secret": "redacted"}


def test_the_command_steps_in(command: Callable[..., Any], new_job: NewJob, new_events: Events, db: Db) -> None:
    db.execute("delete from job_schedules")
    job_id = new_job("discarded", queue="letters")
    assert json.loads(command("retry", job_id, "--json")[1])["status"] == "available"
    assert json.loads(command("cancel", job_id, "--json")[1])["status"] == "cancelled"
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


def test_the_command_knows_all_queues_and_kinds_by_itself(new_database: Callable[..., str]) -> None:
    """Before a worker has run: this process of the tests has loaded them all, so another one is asked."""
    environ = os.environ | {"TICKETING_DATABASE_URL": new_database()}

    def said(*arguments: str) -> str:
        command = [sys.executable, "-m", "ticketing", "jobs", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environ)
        return done.stdout + done.stderr

    ours = {name: kind for name, kind in kinds.KINDS.items() if kind.run.__module__.startswith("ticketing.")}
    queues = {kinds.DEFAULT_QUEUE, *(kind.queue for kind in ours.values())}
    assert {queue["name"] for queue in json.loads(said("queues", "--json"))} == queues
    assert "paused              yes" in said("pause", "webhooks")
    known = ", ".join(sorted(ours))
    assert said("retry", "--type", "nope") == f"ticketing: There is no type of job 'nope'. There are {known}.\n"


def test_the_command_says_what_it_cannot_do(command: Callable[..., Any], new_job: NewJob) -> None:
    code, _, err = command("retry", new_job("completed"))
    assert (code, err) == (1, "ticketing: This job cannot be retried. It has been completed.\n")
    assert command("show", str(UUID(int=7)))[0] == 1
    assert command("show", str(UUID(int=7)))[2] == f"ticketing: There is no job {UUID(int=7)}.\n"
    assert command("pause", "nowhere") == (1, "", "ticketing: There is no queue 'nowhere'.\n")
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
    assert [(e["type"], e["data"]["status"], e["actor_id"]) for e in new_events()] == [(event, becomes, None)] * 3
    rows = db.execute("select distinct state::text from jobs where id = any(%s)", (jobs,)).fetchall()
    assert [row["state"] for row in rows] == [becomes]
    assert db.execute("select id::text, state::text from jobs where id = any(%s)", (others,)).fetchall() == before
    assert command(verb, "--queue", queue, "--yes")[:2] == (0, out.replace("3", "0"))


def test_the_command_tells_how_many_could_not_be(command: Callable[..., Any], new_job: NewJob) -> None:
    queue = f"many_{secrets.token_hex(4)}"
    new_job("available", queue=queue)
    code, out, _ = command("retry", "--status", "available", "--queue", queue, "--yes", "--json")
    assert (code, json.loads(out)) == (1, {"retried": 0, "refused": 1})


@pytest.mark.parametrize("verb", ["retry", "cancel"])
def test_many_are_not_named_by_saying_nothing(command: Callable[..., Any], verb: str) -> None:
    for arguments in ([], ["--yes"]):
        code, out, err = command(verb, *arguments)
        assert (code, out) == (1, "")
        assert "--type or --queue, or else --all" in err
    code, out, err = command(verb, "--all", "--type", "x", "--yes")
    assert (code, out) == (1, "")
    assert err.startswith("ticketing: --all means all types ")


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
