"""`ticketing import github`: a whole history goes in and is read back through the API, once and only once."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from conftest import Person
from ticketing.commands.importing import app as import_app
from ticketing.ground import texts
from ticketing.sources import github, references
from ticketing.sources.files import Unreadable
from ticketing.sources.issues import Rules

SMALL = Path(__file__).parents[1] / "data" / "gh-issues.json"
REAL = next((path for up in Path(__file__).parents if (path := up / "shared/data/gh-issues.json.gz").exists()), None)
ALL_TYPES = Rules(types=("bug", "feature_request", "support"), default_type="support", now=datetime.now(UTC))
NAMED = ("--repository", "lumen/player")
#: By their positions in SMALL.
BAD = {
    4: ("31", None, "issue 31 is in the file already, at position 0, and differs"),
    5: ("27", None, "title is blank"),
    6: (None, None, "it is not an object"),
    7: (None, None, "number is not a positive whole number"),
    10: ("24", None, "closedAt is missing"),
    11: ("23", None, "createdAt is not a date and time like 2026-11-24T10:00:00Z"),
    16: ("18", 1, "comment 1: another comment has the same id"),
    18: (None, None, "number is not a positive whole number"),
    19: ("15", 0, "comment 0: createdAt is missing"),
    21: ("13", None, "title is not a text"),
}

#: The position of a merged pull request.
MERGED = 9

Issue = dict[str, Any]
Database = psycopg.Connection[dict[str, Any]]


def command(file: Path | str, project: str, *options: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "ticketing",
        "import",
        "github",
        str(file),
        "--project",
        project,
        *with_repository(options),
    ]


def with_repository(options: tuple[str, ...]) -> tuple[str, ...]:
    return options if "--repository" in options else (*options, *NAMED)


def environ(url: str) -> dict[str, str]:
    return os.environ | {"TICKETING_DATABASE_URL": url}


def called(url: str, file: Path | str, project: str, *options: str, repository: bool = True) -> tuple[Any, bytes, str]:
    """Exit code, standard output and standard error of an import.

    It names a repository unless the options do, or are not to.
    """
    options = with_repository(options) if repository else options
    return typed("github", str(file), "--project", project, "--database-url", url, *options)


def typed(*arguments: str) -> tuple[Any, bytes, str]:
    """Exit code and what is written by `ticketing import …`, run in this process: starting one takes longer."""
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
        import_app(arguments)
    out.flush()
    return end.value.code, out.buffer.getvalue(), err.getvalue()


def imported(url: str, file: Path | str, project: str, *options: str, code: int = 0) -> dict[str, Any]:
    """The report of an import."""
    ended, out, err = called(url, file, project, *options, "--json")
    assert (ended, err) == (code, "")
    report: dict[str, Any] = json.loads(out)
    return report


def figures(report: dict[str, Any]) -> tuple[int, int, int, int, int]:
    return report["created"], report["updated"], report["unchanged"], report["comments"], report["people"]


def written(folder: Path, issues: list[Issue]) -> Path:
    path = folder / f"{secrets.token_hex(4)}.json"
    path.write_text(json.dumps(issues), encoding="utf-8")
    return path


def issue(number: int, **fields: Any) -> Issue:
    moment = "2024-03-01T09:00:00Z"
    blank = {"title": f"Issue {number}", "body": "", "state": "OPEN", "labels": [], "author": {"login": "maren"}}
    more: Issue = {"assignees": [], "createdAt": moment, "updatedAt": moment, "closedAt": None, "comments": []}
    more["stateReason"] = ""
    return {"number": number, **blank, **more, **fields}


def read(*issues: Issue) -> github.Reading:
    return github.read(io.BytesIO(json.dumps(issues).encode()), ALL_TYPES)


def storable(issue: Issue) -> Issue:
    """The issue without what PostgreSQL cannot store."""
    return issue | {name: re.sub("[\0\ud800-\udfff]", "\ufffd", issue[name] or "") for name in ("title", "body")}


def closed(moment: str = "2024-03-02T09:00:00Z") -> Issue:
    return {"state": "CLOSED", "closedAt": moment, "updatedAt": moment}


def comment(id: str, body: str, moment: str = "2024-03-01T10:00:00Z", by: str = "joon") -> Issue:
    return {"id": id, "author": {"login": by}, "body": body, "createdAt": moment}


def utc(moment: str | None) -> str | None:
    """A moment of GitHub as the API has it."""
    if moment is None:
        return None
    return datetime.fromisoformat(moment).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_back(agent: Person, project: str) -> dict[str, dict[str, Any]]:
    """What the API has of a project: tickets with their comments, by their numbers on GitHub."""
    tickets = agent.pages("/tickets", project=project, sort="created", limit=100)
    return {
        ticket["external_reference"]["id"]: ticket
        | {"comments": agent.pages(f"/tickets/{ticket['number']}/comments", limit=100)}
        for ticket in tickets
    }


def assert_same(ticket: dict[str, Any], issue: Issue, tickets: dict[str, dict[str, Any]]) -> None:
    """Everything that is the same here and there, but for references, which lead to the tickets of the repository."""

    def text(written: str | None) -> str:
        find = {number: each["number"] for number, each in tickets.items()}.get
        repository = ticket["external_reference"]["source"].removeprefix("github:")
        return references.rewritten(
            texts.text(written or ""), repository, lambda of, number: find(number) if of == repository else None
        )[0]

    assert ticket["title"] == texts.one_line(issue["title"])
    assert ticket["description"] == text(issue["body"])
    assert (ticket["status"] == "closed") == (issue["state"] == "CLOSED")
    assert (ticket["resolution"] == "none") == (issue["state"] == "OPEN")
    assert ticket["created_at"] == utc(issue["createdAt"])
    assert ticket["updated_at"] == utc(issue["updatedAt"])
    assert ticket["closed_at"] == ticket["resolved_at"] == utc(issue["closedAt"])
    assert ticket["requester"]["name"] == login(issue["author"])
    assert ticket["assignee"] == (issue["assignees"] or None) or ticket["assignee"]["name"] == login(
        issue["assignees"][0]
    )
    assert ticket["channel"] == "import"
    said = [
        (text(entry["body"]), utc(entry["createdAt"]), login(entry["author"]), "public")
        for entry in sorted(issue["comments"], key=lambda entry: str(entry["createdAt"]))
        if text(entry["body"])
    ]
    assert said == [
        (entry["body"], entry["created_at"], entry["author"]["name"], entry["visibility"])
        for entry in ticket["comments"]
    ]


def login(person: Issue | None) -> str:
    return (person or {}).get("login") or "ghost"


@pytest.fixture
def repository(project: str) -> str:
    """A name that no other test uses, as all share a database."""
    return f"lumen/{project}"


@pytest.fixture
def own(unserved: tuple[str, sql.Composed]) -> Iterator[tuple[str, Database]]:
    """A database that no service uses, with the project `player`: its URL, and a connection to it."""
    url, emptied = unserved
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as conn:
        conn.execute(emptied)
        conn.execute(
            "insert into projects (key, name, ticket_types) values ('player', 'Player', enum_range(null::ticket_type))"
        )
        yield url, conn


def everything(conn: Database) -> Any:
    """All rows with the transactions that wrote them: rewriting a row as it was would show as well."""
    query = " union all ".join(
        f"select '{table}', t.xmin::text, to_jsonb(t) from {table} t"
        for table in ("users", "tickets", "comments", "events")
    )
    return sorted(map(str, conn.execute(query.encode()).fetchall()))


# What is read back ----------------------------------------------------------------------------------------------


def test_a_small_file(database_url: str, agent: Person, project: str, repository: str) -> None:
    report = imported(database_url, SMALL, project, "--repository", repository, code=1)

    assert (report["issues"], report["created"], report["left_out"], report["comments"]) == (22, 13, 1, 7)
    assert {bad["index"]: (bad["number"], bad["comment"], bad["reason"]) for bad in report["bad"]} == BAD
    issues = json.loads(SMALL.read_text(encoding="utf-8"))
    tickets = read_back(agent, project)
    taken = [index for index in range(22) if index != MERGED and (index not in BAD or BAD[index][1] is not None)]
    good = {str(issues[index]["number"]): storable(issues[index]) for index in taken}
    for index, (number, place, _) in BAD.items():
        if number and place is not None:
            assert issues[index]["comments"][place]
            del good[number]["comments"][place]
    assert tickets.keys() == good.keys()
    for number, there in good.items():
        assert_same(tickets[number], there, tickets)
        assert tickets[number]["external_reference"] == {"source": f"github:{repository}", "id": number}
    told = ("type", "resolution", "tags")
    assert {number: tuple(ticket[name] for name in told) for number, ticket in tickets.items()} == {
        "31": ("bug", "fixed", ["bug", "area: subtitles", "good first issue"]),
        "30": ("feature_request", "none", ["enhancement"]),
        "29": ("support", "wont_fix", ["question"]),
        "26": (
            "feature_request",
            "none",
            [
                "type: feature-request",
                "größe: 100 %",
                "文档",
                "c++",
                "ui",
                "🐛",
                "needs a designer",
                "a label that is a good deal longer than the fifty",
            ],
        ),
        "21": ("support", "none", []),
        "20": ("support", "none", []),
        "19": ("bug", "duplicate", ["bug", "duplicate"]),
        "14": ("feature_request", "shipped", ["kind/feature", "area/support"]),
        "28": ("support", "none", []),
        "22": ("support", "none", []),
        "18": ("support", "none", []),
        "17": ("bug", "none", ["bug"]),
        "15": ("support", "none", []),
    }
    assert tickets["30"]["environment"] == {"github_assignees": "joon, tilda"}
    noted = {note["note"]: note["issues"] for note in report["notes"]}
    assert noted["the first assignee is the ticket's; all are in github_assignees"] == ["30"]
    assert noted["the label 'C++' became the tag 'c++'"] == ["26"]
    assert noted["characters in body that cannot be stored became \ufffd"] == ["28"]
    assert noted["pull requests are left out: only issues become tickets"] == ["25"]
    by_arrival = sorted(tickets, key=lambda number: int(tickets[number]["number"]))
    assert by_arrival == sorted(tickets, key=int)


def test_the_timeline(database_url: str, agent: Person, project: str, repository: str, db: Database) -> None:
    imported(database_url, SMALL, project, "--repository", repository, code=1)

    ticket = read_back(agent, project)["31"]
    comments = ticket.pop("comments")
    created, first, ended, second = agent.pages(f"/tickets/{ticket['number']}/events")
    still_open = {"status": "open", "resolution": "none", "resolved_at": None, "closed_at": None}
    assert (created["type"], created["timestamp"]) == ("ticket.created", ticket["created_at"])
    assert (created["actor"], created["previous"]) == (ticket["requester"], {})
    assert created["data"].pop("version") != ended["data"].pop("version") != ticket.pop("version")
    assert created["data"] == ticket | still_open | {"updated_at": ticket["created_at"]}
    for event, said in ((first, comments[0]), (second, comments[1])):
        assert (event["type"], event["timestamp"]) == ("comment.created", said["created_at"])
        assert (event["actor"], event["data"], event["previous"]) == (said["author"], said, {})
    assert (ended["type"], ended["timestamp"]) == ("ticket.closed", ticket["closed_at"])
    assert (ended["actor"], ended["previous"]) == (None, still_open)
    assert ended["data"] == ticket | {"updated_at": ticket["closed_at"]}
    (joon,) = db.execute("select * from users where external_source = 'github' and external_id = 'joon'").fetchall()
    assert (joon["name"], joon["email"], joon["role"], joon["service_account"]) == ("joon", None, "requester", False)
    (added,) = db.execute("select data from events where type = 'user.created' and data ->> 'name' = 'joon'").fetchall()
    assert added["data"]["id"] == str(joon["id"])


@pytest.mark.skipif(REAL is None, reason="the file is not part of the repository")
def test_a_real_file(database_url: str, agent: Person, project: str, repository: str) -> None:
    assert REAL
    report = imported(database_url, REAL, project, "--repository", repository, "--without", "stateReason")

    assert (report["created"], report["comments"], report["bad"]) == (642, 1993, [])
    tickets = read_back(agent, project)
    issues = json.loads(gzip.decompress(REAL.read_bytes()))
    assert len(tickets) == len(issues) == 642
    for there in issues:
        assert_same(tickets[str(there["number"])], there, tickets)


# Once and only once ---------------------------------------------------------------------------------------------


def test_a_second_run_changes_nothing(own: tuple[str, Database]) -> None:
    url, conn = own
    first = imported(url, SMALL, "player", code=1)
    before = everything(conn)

    second = imported(url, SMALL, "player", code=1)

    assert figures(second) == (0, 0, first["created"], 0, 0)
    assert second["bad"] == first["bad"]
    assert everything(conn) == before


def test_a_dry_run_tells_what_would_happen(own: tuple[str, Database]) -> None:
    url, conn = own
    before = everything(conn)
    foreseen = imported(url, SMALL, "player", "--dry-run", code=1)
    assert everything(conn) == before
    assert foreseen["dry_run"]
    report = imported(url, SMALL, "player", code=1)
    assert (foreseen["run"], report["run"]) == (None, 1)
    assert foreseen | {"dry_run": False, "run": 1} == report


def test_a_killed_import_goes_on_where_it_stopped(own: tuple[str, Database], tmp_path: Path) -> None:
    url, conn = own
    file = written(
        tmp_path, [issue(number, comments=[comment(str(number), "Indeed.")], **closed()) for number in range(1, 251)]
    )
    conn.execute(
        "create function stall() returns trigger language plpgsql as"
        " $$ begin if new.external_id = '150' then perform pg_advisory_xact_lock(1); end if; return new; end $$"
    )
    conn.execute("create trigger stall after insert on comments for each row execute function stall()")
    conn.execute("select pg_advisory_lock(1)")
    process = subprocess.Popen(command(file, "player"), env=environ(url), stdout=subprocess.DEVNULL)
    await_locked(conn)
    process.send_signal(signal.SIGKILL)
    process.wait()
    conn.execute("select pg_advisory_unlock(1)")
    conn.execute("drop function stall cascade")
    assert count(conn, "tickets") == 100

    report = imported(url, file, "player")

    assert figures(report) == (150, 0, 100, 150, 0)
    assert (count(conn, "tickets"), count(conn, "comments"), count(conn, "events")) == (250, 250, 752)


def test_two_imports_at_once(own: tuple[str, Database], tmp_path: Path) -> None:
    url, conn = own
    file = written(tmp_path, [issue(number, comments=[comment("c", "Indeed.")]) for number in range(1, 301)])
    both = [
        subprocess.Popen(command(file, "player", "--json"), env=environ(url), stdout=subprocess.PIPE) for _ in range(2)
    ]
    reports = [json.loads(process.communicate(timeout=60)[0]) for process in both]
    assert sum(report["created"] for report in reports) == 300
    assert sum(report["unchanged"] for report in reports) == 300
    assert (count(conn, "tickets"), count(conn, "comments"), count(conn, "users")) == (300, 300, 2)


def count(conn: Database, table: str) -> int:
    (row,) = conn.execute(f"select count(*) as count from {table}".encode()).fetchall()
    return int(row["count"])


def await_locked(conn: Database) -> None:
    """Wait until another connection to the same database waits for a lock."""
    query = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    deadline = time.monotonic() + 60
    while not conn.execute(query).fetchall():
        assert time.monotonic() < deadline, "nobody waits for a lock"
        time.sleep(0.02)


# What happened there since --------------------------------------------------------------------------------------


def test_new_comments_and_closed_issues_are_taken_over(
    database_url: str, agent: Person, project: str, repository: str, tmp_path: Path
) -> None:
    said = comment("a", "Me too.")
    before = [issue(1, comments=[said]), issue(2), issue(3)]
    named = ("--repository", repository)
    imported(database_url, written(tmp_path, before), project, *named)
    numbers = {number: ticket["number"] for number, ticket in read_back(agent, project).items()}
    told = [len(agent.pages(f"/tickets/{number}/events")) for number in numbers.values()]
    assert told == [2, 1, 1]

    later = comment("b", "Still there?", "2024-03-05T10:00:00Z", by="tilda")
    after = [
        issue(1, comments=[said, later], updatedAt="2024-03-05T10:00:00Z"),
        issue(2, stateReason="NOT_PLANNED", **closed()),
        issue(3, title="Renamed there"),
    ]
    report = imported(database_url, written(tmp_path, after), project, *named)

    assert figures(report)[:4] == (0, 2, 1, 1)
    tickets = read_back(agent, project)
    assert_same(tickets["1"], after[0], tickets)
    assert_same(tickets["2"], after[1], tickets)
    assert tickets["2"]["resolution"] == "wont_fix"
    assert tickets["3"]["title"] == "Issue 3"
    event = agent.pages(f"/tickets/{numbers['1']}/events")[-1]
    assert (event["type"], event["data"]) == ("comment.created", tickets["1"]["comments"][-1])
    event = agent.pages(f"/tickets/{numbers['2']}/events")[-1]
    assert (event["type"], event["actor"], event["timestamp"]) == ("ticket.closed", None, utc(after[1]["closedAt"]))
    assert event["previous"] == {"status": "open", "resolution": "none", "resolved_at": None, "closed_at": None}
    assert event["data"] == {name: value for name, value in tickets["2"].items() if name != "comments"}
    assert figures(imported(database_url, written(tmp_path, after), project, *named)) == (0, 0, 3, 0, 0)


def test_reopened_issues_are_taken_over(
    database_url: str, agent: Person, project: str, repository: str, tmp_path: Path
) -> None:
    named = ("--repository", repository)
    imported(database_url, written(tmp_path, [issue(1, **closed())]), project, *named)
    again = written(tmp_path, [issue(1, updatedAt="2024-03-07T09:00:00Z")])

    assert imported(database_url, again, project, *named)["updated"] == 1

    ticket = read_back(agent, project)["1"]
    assert (ticket["status"], ticket["resolution"], ticket["closed_at"], ticket["resolved_at"]) == (
        "open",
        "none",
        None,
        None,
    )
    event = agent.pages(f"/tickets/{ticket['number']}/events")[-1]
    assert event["type"] == "ticket.reopened"
    moment = utc(closed()["closedAt"])
    assert event["previous"] == {
        "status": "closed",
        "resolution": "answered",
        "closed_at": moment,
        "resolved_at": moment,
    }
    assert imported(database_url, again, project, *named)["unchanged"] == 1


def test_what_was_decided_here_stays(
    database_url: str, agent: Person, project: str, repository: str, tmp_path: Path
) -> None:
    def change(number: str, **fields: Any) -> None:
        headers = {"Content-Type": "application/merge-patch+json"}
        url = f"/tickets/{tickets[number]['number']}"
        assert agent.request("PATCH", url, json=fields, headers=headers).status_code == 200

    named = ("--repository", repository)
    imported(database_url, written(tmp_path, [issue(number) for number in (1, 2, 3)]), project, *named)
    tickets = read_back(agent, project)
    change("1", status="closed", resolution="invalid")
    change("2", status="resolved", resolution="answered")
    change("2", status="open")
    change("3", status="resolved", resolution="duplicate", resolution_note="See #1.")

    after = [issue(1, updatedAt="2024-04-01T09:00:00Z"), issue(2, **closed()), issue(3, **closed())]
    report = imported(database_url, written(tmp_path, after), project, *named)

    assert (figures(report), report["different"]) == ((0, 1, 2, 0, 0), 2)
    tickets = read_back(agent, project)
    told = ("status", "resolution", "resolution_note")
    assert [tuple(tickets[number][name] for name in told) for number in ("1", "2", "3")] == [
        ("closed", "invalid", None),
        ("open", "none", None),
        ("closed", "duplicate", "See #1."),
    ]
    (*_, event) = agent.pages(f"/tickets/{tickets['3']['number']}/events")
    assert (event["type"], event["previous"]) == ("ticket.closed", {"status": "resolved", "closed_at": None})


def test_a_ticket_that_moves_meanwhile_is_looked_at_again(own: tuple[str, Database], tmp_path: Path) -> None:
    url, conn = own
    imported(url, written(tmp_path, [issue(1)]), "player")
    with ThreadPoolExecutor(1) as threads, psycopg.connect(url) as agent:
        agent.execute("update tickets set status = 'resolved', resolution = 'duplicate', resolved_at = now()")
        file = written(tmp_path, [issue(1, **closed())])
        ended = threads.submit(called, url, file, "player")
        await_locked(conn)
        agent.commit()
        assert ended.result(30)[0] == 0
    (ticket,) = conn.execute("select status, resolution from tickets").fetchall()
    assert ticket == {"status": "closed", "resolution": "duplicate"}


def test_an_issue_belongs_to_one_project(own: tuple[str, Database], tmp_path: Path) -> None:
    url, conn = own
    conn.execute("insert into projects (key, name, ticket_types) values ('server', 'Server', '{bug}')")
    file = written(tmp_path, [issue(1)])
    imported(url, file, "player", "--repository", "lumen/player")
    (bad,) = imported(url, file, "server", "--repository", "lumen/player", code=1)["bad"]
    assert bad["reason"] == "it was imported from github:lumen/player into the project player before"
    assert imported(url, file, "server", "--repository", "lumen/server")["created"] == 1
    (ticket,) = conn.execute("select type from tickets where project = 'server'").fetchall()
    assert ticket["type"] == "bug", "the project takes nothing else"


# What goes wrong ------------------------------------------------------------------------------------------------


def test_what_postgresql_refuses_is_bad_as_well(own: tuple[str, Database], tmp_path: Path) -> None:
    url, conn = own
    conn.execute("alter table tickets add constraint luck check (external_id <> '13')")
    file = written(tmp_path, [issue(number) for number in range(1, 31)])
    try:
        report = imported(url, file, "player", code=1)
    finally:
        conn.execute("alter table tickets drop constraint luck")
    assert report["created"] == 29
    (bad,) = report["bad"]
    assert (bad["index"], bad["number"]) == (12, "13")
    assert "violates check constraint" in bad["reason"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is not JSON"),
        (b'[{"number": 1}] [{"num', "is not JSON: .*, after 1 values that are"),
        (b'[{"number": 1', "is not JSON"),
        (b"\xff\xfe\xfd", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"\x1f\x8b\x08 no gzip", "is gzipped, but damaged"),
        (gzip.compress(b"[]", mtime=0)[:-3], "is gzipped, but damaged"),
    ],
)
def test_a_broken_file(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        github.read(io.BytesIO(data), ALL_TYPES)


def test_broken_calls_end_with_one_sentence_and_2(own: tuple[str, Database], tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("<html>")
    for url, file, project, sentence in (
        (own[0], broken, "player", "broken.json cannot be imported. It is a page of HTML."),
        (own[0], tmp_path / "absent.json", "player", "absent.json cannot be read: No such file or directory."),
        (own[0], SMALL, "nowhere", "There is no project 'nowhere'."),
        ("localhost", SMALL, "player", "The URL of the database cannot be read."),
    ):
        code, out, err = called(url, file, project)
        assert (code, out) == (2, b"")
        assert sentence in err
        assert len(err.splitlines()) == 1


def test_without_a_database_it_says_so(new_database: Callable[..., str]) -> None:
    for url, sentences in (
        ("postgresql://nobody@127.0.0.1:1/none", ("PostgreSQL cannot be used: ", "the next run continues from there.")),
        (new_database("template0"), ("lacks migrations", "Run `ticketing migrate` first.")),
    ):
        done = subprocess.run(
            command(SMALL, "player"), env=environ(url), capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert all(sentence in done.stderr for sentence in sentences)
        assert len(done.stderr.splitlines()) == 1


# What is read in --------------------------------------------------------------------------------------------------


def test_standard_input_gzipped_with_a_report_for_people(own: tuple[str, Database]) -> None:
    url, _ = own
    data = gzip.compress(SMALL.read_bytes())
    done = subprocess.run(
        command("-", "player", "--dry-run"), env=environ(url), input=data, capture_output=True, timeout=60, check=False
    )
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 1
    assert lines[0] == "22 issues of github:lumen/player: 13 created, 0 updated, 0 unchanged, 1 left out, 8 bad."
    assert "  6 (issue unknown): it is not an object." in lines
    assert lines[-1] == "This was a dry run: nothing was written."


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding: str) -> None:
    data = json.dumps([issue(1, title="Grüße 🎬")], ensure_ascii=False).encode(encoding)
    assert [each.title for each in github.read(io.BytesIO(data), ALL_TYPES).issues] == ["Grüße 🎬"]


@pytest.mark.parametrize(
    ("labels", "type_", "resolution"),
    [
        ([], "support", "answered"),
        (["question"], "support", "answered"),
        (["help wanted", "documentation"], "support", "answered"),
        (["🐛 Bug"], "bug", "fixed"),
        (["type:defect", "enhancement"], "bug", "fixed"),
        (["T-enhancement"], "support", "answered"),
        (["kind/feature-request"], "feature_request", "shipped"),
        (["bug", "Won’t fix"], "bug", "wont_fix"),
        (["bug", "status: can't reproduce"], "bug", "cannot_reproduce"),
        (["enhancement", "resolution/invalid"], "feature_request", "invalid"),
        (["spam", "duplicate"], "support", "spam"),
    ],
)
def test_labels_tell_type_and_resolution(labels: list[str], type_: str, resolution: str) -> None:
    entry = issue(1, labels=[{"name": label} for label in labels], **closed())
    (taken,) = read(entry).issues
    assert (taken.type, taken.resolution) == (type_, resolution)


def test_the_reason_tells_the_resolution_if_no_label_does() -> None:
    for reason, resolution in (("COMPLETED", "answered"), ("NOT_PLANNED", "wont_fix"), ("DUPLICATE", "duplicate")):
        (taken,) = read(issue(1, stateReason=reason, **closed())).issues
        assert taken.resolution == resolution


def test_a_ticket_has_twenty_tags() -> None:
    reading = read(issue(1, labels=[{"name": f"label {n}"} for n in range(22)]))
    assert next(iter(reading.issues)).tags == [f"label {n}" for n in range(20)]
    assert len(reading.notes.issues) == 2


def test_long_texts_are_kept_whole(own: tuple[str, Database], tmp_path: Path) -> None:
    url, conn = own
    entry = issue(1, title="🎬" * 1000, body="é" * 1_000_000, comments=[comment("a", "x" * 100_000)])
    imported(url, written(tmp_path, [entry]), "player")
    (ticket,) = conn.execute("select title, description from tickets").fetchall()
    assert ticket == {"title": entry["title"], "description": entry["body"]}
    (said,) = conn.execute("select body from comments").fetchall()
    assert said["body"] == entry["comments"][0]["body"]
