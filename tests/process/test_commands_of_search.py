"""`ticketing search`: how current full text is, and reading all tickets again while others write."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable

import psycopg
import pytest
import uuid_utils.compat as uuids
from test_cli import Run, run

from conftest import await_, configured, environment
from working import index

__all__ = ["run"]
TICKETS = 1_000


@pytest.fixture
def url(new_database: Callable[..., str]) -> str:
    """A database with tickets that nobody has read yet."""
    url = new_database()
    ada = uuids.uuid7()
    with psycopg.connect(url) as conn:
        conn.execute(
            "insert into users (id, name, email, role) values (%s, 'Ada', 'ada@a.example', 'requester')", (ada,)
        )
        conn.execute("insert into projects (key, name, ticket_types) values ('here', 'Here', '{bug}')")
        conn.execute("insert into projects (key, name, ticket_types) values ('there', 'There', '{bug}')")
        conn.execute(
            "insert into tickets (type, project, title, description, severity, channel, requester_id)"
            " select 'bug', case when i %% 4 = 0 then 'there' else 'here' end, 'word' || i, 'text', 'low', 'api', %s"
            "   from generate_series(1, %s) i",
            (ada, TICKETS),
        )
    return url


def documents(url: str) -> int:
    with psycopg.connect(url) as conn:
        return len(conn.execute("select from ticket_documents").fetchall())


def test_all_tickets_are_read_and_a_second_time_too(run: Run, url: str) -> None:
    code, out, err = run("search", "rebuild", url=url)
    assert (code, out) == (0, f"Read {TICKETS} tickets again.\n")
    assert f"{TICKETS // 2} of {TICKETS} tickets" in err
    assert documents(url) == TICKETS
    assert run("search", "rebuild", url=url)[:2] == (code, out)
    code, out, _ = run("search", "status", "--json", url=url)
    status = json.loads(out)
    assert (code, status["late_seconds"]) == (0, 0)
    assert [(each["written"], each["remaining"]) for each in status["rebuilds"]] == [(TICKETS, 0)] * 2
    assert "All that was written is found." in run("search", "status", url=url)[1]


def test_those_of_a_project(run: Run, url: str) -> None:
    assert run("search", "rebuild", "--project", "there", url=url)[:2] == (0, f"Read {TICKETS // 4} tickets again.\n")
    assert documents(url) == TICKETS // 4
    code, _, err = run("search", "rebuild", "--project", "nowhere", url=url)
    assert code == 1
    assert "There is no project 'nowhere'." in err


def test_what_a_killed_one_has_left_a_worker_does(url: str) -> None:
    command = [sys.executable, "-m", "ticketing", "search", "rebuild"]
    with subprocess.Popen(command, env=environment(url), stderr=subprocess.DEVNULL) as process:
        await_(lambda: documents(url) > 0)
        process.send_signal(signal.SIGKILL)
    with configured(database_url=url):
        index()
    assert documents(url) == TICKETS
    with psycopg.connect(url) as conn:
        assert conn.execute("select from search_rebuilds where finished_at is null").fetchall() == []
