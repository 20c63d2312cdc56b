"""Nothing is lost silently: each value of a file is read back through the API, or the report names it."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_import_github import (
    REAL,
    Database,
    called,
    comment,
    count,
    imported,
    issue,
    own,
    read_back,
    repository,
    utc,
    written,
)

from conftest import Person
from ticketing.sources import repositories
from ticketing.sources.files import FIELDS

__all__ = ["own", "repository"]

DATA = Path(__file__).parents[1] / "data"
SHARED = sorted((REAL.parent / "import").glob("*.json")) if REAL else []
FILES = [DATA / "gh-issues.json", *sorted((DATA / "imports").glob("*.json")), *SHARED, *([REAL] if REAL else [])]
#: As the REST API says it, and `gh`.
REST = {
    "user": "author",
    "created_at": "createdAt",
    "updated_at": "updatedAt",
    "closed_at": "closedAt",
    "state_reason": "stateReason",
    "reactions": "reactionGroups",
    "html_url": "url",
    "node_id": "id",
}
SIGNS = {"+1": "👍", "eyes": "👀", "THUMBS_UP": "👍", "ROCKET": "🚀"}
RESOLUTIONS = {"completed": ("fixed", "shipped", "answered"), "not_planned": ("wont_fix",), "duplicate": ("duplicate",)}

Leaf = tuple[str, Any]


def values(text: str) -> list[Any]:
    """The entries of a file, whichever way they are written."""
    decoder, found, at = json.JSONDecoder(), [], 0
    text = text.strip()
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        at += len(text) - at - len(text[at:].lstrip())
        for each in value if isinstance(value, list) else [value]:
            found += each if isinstance(each, list) else [each]
    return found


def of_its_own(file: Path, repository: str) -> str:
    """The text of a file as one of a repository that no other test uses."""
    data = file.read_bytes()
    text = (gzip.decompress(data) if file.suffix == ".gz" else data).decode()
    return re.sub(r"(github\.com/|/repos/)(?!repos/)[\w-]+/[\w-]+(?=/issues|/pull|\")", rf"\1{repository}", text)


def leaves(value: Any, path: str = "") -> Iterator[Leaf]:
    """Every value that says something, with the names that lead to it."""
    if isinstance(value, dict):
        for key, each in value.items():
            name = REST.get(key) or str(key)
            yield from leaves(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each, path)
    elif value not in (None, "", False, 0):
        yield path, value


def kept(leaf: Leaf, ticket: dict[str, Any]) -> bool:
    """Whether a value of an issue is to be read in its ticket."""
    path, value = leaf
    environment, comments = ticket["environment"], ticket["comments"]
    people = [ticket["requester"]["name"]]
    match path:
        case "number":
            return bool(ticket["external_reference"]["id"] == str(value))
        case "title":
            return bool(ticket["title"] == value)
        case "body":
            return bool(ticket["description"] == value)
        case "state":
            return bool((ticket["status"] == "closed") == (value.lower() == "closed"))
        case "stateReason":
            return bool(ticket["resolution"] in RESOLUTIONS[value.lower()])
        case "labels" | "labels.name":
            return value in ticket["tags"]
        case "author" | "author.login":
            return value in people
        case "author.is_bot" | "author.type":
            return str(people[0]).endswith("[bot]") == (value in (True, "Bot"))
        case "assignees" | "assignees.login":
            return value in (ticket["assignee"]["name"], *environment.get("github_assignees", "").split(", "))
        case "createdAt" | "updatedAt" | "closedAt":
            name = {"createdAt": "created_at", "updatedAt": "updated_at", "closedAt": "closed_at"}[path]
            return bool(ticket[name] == utc(value))
        case "milestone.title":
            return bool(environment["github_milestone"] == value)
        case "url":
            return bool(environment["github_url"] == value)
        case "type.name":
            return bool(environment["github_type"] == value)
        case "reactionGroups.content":
            return SIGNS[value] in environment["github_reactions"]
        case "reactionGroups.users.totalCount":
            return str(value) in environment["github_reactions"].split()
        case "reactionGroups.total_count":
            return bool(sum(map(int, re.findall(r"\d+", environment["github_reactions"]))) == value)
        case "reactionGroups.url":
            # An address of GitHub's API, which follows from that of the issue.
            return True
        case "comments":
            return bool(len(comments) == value)
        case "comments.body":
            return value in [said["body"] for said in comments]
        case "comments.author.login":
            return value in [said["author"]["name"] for said in comments]
        case "comments.createdAt":
            return utc(value) in [said["created_at"] for said in comments]
        case "comments.isMinimized" | "comments.minimizedReason":
            return "internal" in [said["visibility"] for said in comments]
        case "comments.id":
            # Not shown, but by it the comment is found again: test_comments_with_and_without_ids_are_not_doubled.
            return True
        case _ if path.startswith("reactionGroups."):
            return f"{SIGNS[path.partition('.')[2]]} {value}" in environment["github_reactions"]
        case _:
            return False


def named(leaf: Leaf, number: str, report: dict[str, Any]) -> bool:
    """Whether the report says that a value of an issue was changed or left out."""
    path, value = leaf
    if any(path == left_out or path.startswith(f"{left_out}.") for left_out in report["fields_left_out"]):
        return True
    notes = " ".join(note["note"] for note in report["notes"] if number in note["issues"])
    if path.startswith("comments."):
        bad = [bad for bad in report["bad"] if bad["number"] == number and bad["comment"] is not None]
        return (
            bool(bad)
            or "comments without a text" in notes
            or (path.endswith("body") and ("body" in notes or "references" in notes))
        )
    if path == "body":
        return "body" in notes or "references" in notes or "#" in value
    if path.startswith("labels"):
        return repr(value) in notes
    return repr(value) in notes or re.search(rf"\b{re.escape(path)}\b", notes) is not None


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_each_value_is_kept_or_named(
    database_url: str, agent: Person, project: str, repository: str, tmp_path: Path, file: Path
) -> None:
    text = of_its_own(file, repository)
    entries = values(text)
    told = any("url" in entry for entry in entries if isinstance(entry, dict))
    options = [] if told else ["--repository", repository]
    file = tmp_path / "issues.json"
    file.write_text(text, encoding="utf-8")
    rows = [entry for entry in entries if isinstance(entry, dict) and entry.get("state") != "MERGED"]
    there = {REST.get(name, name) for row in rows for name in row}
    if any(type(row.get("comments")) is int for row in rows) and not any("issue_url" in row for row in rows):
        there.discard("comments")
    absent = [name for name in FIELDS.split(",") if name not in {*there, "number", "title", "state", "createdAt"}]
    options += ["--without", ",".join(absent)] if absent else []
    foreseen = called(database_url, file, project, *options, "--dry-run", "--json", repository=False)
    code, out, err = called(database_url, file, project, *options, "--json", repository=False)
    assert err == ""
    report = json.loads(out)
    assert json.loads(foreseen[1]) | {"dry_run": False, "run": report["run"]} == report
    assert code == foreseen[0] == (1 if report["bad"] else 0)

    tickets = read_back(agent, project)
    bad = {each["index"] for each in report["bad"] if each["comment"] is None}
    left_out = [number for note in report["notes"] if "left out" in note["note"] for number in note["issues"]]
    lost = []
    for index, entry in enumerate(entries):
        if index in bad:
            continue
        number, said = located(entry)
        if number not in tickets:
            assert number in left_out, f"issue {number} is neither there nor named"
            continue
        lost += [
            (number, leaf)
            for leaf in leaves(said)
            if not kept(leaf, tickets[number]) and not named(leaf, number, report)
        ]
    assert lost == []


def located(entry: Any) -> tuple[str, Any]:
    """The number of the issue that an entry tells of, and what it says without what GitHub says twice."""
    if "issue_url" in entry:
        said = {name: value for name, value in entry.items() if not name.endswith("url") and name != "id"}
        return entry["issue_url"].rpartition("/")[2], {"comments": [said]}
    twice = {"url", "id", "assignee"} if "html_url" in entry else set()
    return str(entry["number"]), {name: value for name, value in entry.items() if name not in twice}


# Which repository, which bot, and what is not taken ----------------------------------------------------------------


@pytest.mark.parametrize(
    "written_",
    [
        "octo/cat", "https://github.com:443/Octo/cat", "ssh://git@ssh.github.com:443/octo/cat.git",
        "git+https://github.com/octo/cat.git", "https://user:pw@github.com/octo/cat", "git@github.com:octo/cat.git",
        "https://github.com/octo/cat/tree/main", "https://github.com/octo/cat/wiki", "HTTPS://GitHub.com/octo/cat",
        "https://github.com/octo/cat/releases/tag/v1", "https://api.github.com/repos/octo/cat/issues/3",
    ],
)  # fmt: skip
def test_a_repository_has_one_name(written_: str) -> None:
    assert repositories.canonical(written_) == "octo/cat"


@pytest.mark.parametrize(
    "written_", ["octo", "octo/cat/wiki", "https://github.com/orgs/octo", "https://github.com/", ""]
)
def test_what_is_no_repository_has_no_name(written_: str) -> None:
    assert repositories.canonical(written_) is None


@pytest.mark.parametrize("url", [None, "", "nonsense"])
def test_an_issue_without_url_does_not_ride_along(own: tuple[str, Database], tmp_path: Path, url: str | None) -> None:
    at = "https://github.com/octo/cat/issues/"
    file = written(tmp_path, [issue(1, url=f"{at}1"), issue(2, url=url)])
    code, out, err = called(own[0], file, "player", repository=False)
    assert (code, out, count(own[1], "tickets")) == (2, b"", 0)
    assert "issue 2 has no url that says where it is from" in err
    report = imported(own[0], file, "player", "--repository", "octo/cat")
    assert report["created"] == 2
    assert {"note": "no url tells the repository, so that --repository does", "count": 1, "issues": ["2"]} in report[
        "notes"
    ]


def test_two_repositories_are_told_before_numbers_that_are_there_twice(
    own: tuple[str, Database], tmp_path: Path
) -> None:
    file = written(tmp_path, [issue(41, url=f"https://github.com/m/{name}/issues/41") for name in "ab"])
    code, _, err = called(own[0], file, "player", repository=False)
    assert (code, "issues of several repositories, m/a, m/b" in err) == (2, True)


def test_a_bot_is_one_however_it_is_spelled(own: tuple[str, Database], tmp_path: Path) -> None:
    url, conn = own
    said = [
        comment("a", "Bump", by="dependabot"),
        comment("b", "Bump", by="dependabot[bot]"),
        comment("c", "Hm", by="ci"),
    ]
    bot = {"login": "app/dependabot", "is_bot": True}
    imported(url, written(tmp_path, [issue(1, author=bot, comments=said)]), "player")
    rows = conn.execute("select name, service_account from users order by name").fetchall()
    assert [(row["name"], row["service_account"]) for row in rows] == [("ci", False), ("dependabot[bot]", True)]


def test_what_is_not_taken_is_named(own: tuple[str, Database], tmp_path: Path) -> None:
    zero = [{"content": "HEART", "users": {"totalCount": 0}}]
    said = [
        comment("a", "Spam") | {"isMinimized": True, "minimizedReason": "SPAM", "reactionGroups": zero},
        comment("b", " \u200b "),
    ]
    odd = issue(
        1, comments=said, updatedAt="2020-01-01T00:00:00Z", milestone="1.0", stateReason="MOVED", **{"x\ud800\0": 1}
    )
    odd["reactionGroups"] = [{"content": "\ud800\0", "users": {"totalCount": 1}}]
    file = written(tmp_path, [odd, issue(2, stateReason="COMPLETED")])
    report = imported(own[0], file, "player")
    assert {note["note"]: note["issues"] for note in report["notes"]} == {
        "body has a plainer form, as in all texts here": ["1"],
        "comments that are hidden on GitHub became internal": ["1"],
        "comments without a text are left out": ["1"],
        "the stateReason 'MOVED' is not known, and left out": ["1"],
        "the stateReason COMPLETED does not fit the state, and is left out": ["2"],
        "updatedAt is before createdAt, so that the latter counts for both": ["1"],
    }
    assert report["fields_left_out"] == {"comments.minimizedReason": 1, "x\ufffd\ufffd": 1}
    (row,) = own[1].execute("select environment from tickets where external_id = '1'").fetchall()
    assert row["environment"] == {"github_milestone": "1.0", "github_reactions": "\ufffd\ufffd 1"}


def test_a_file_may_have_any_name(own: tuple[str, Database], tmp_path: Path) -> None:
    file = written(tmp_path, [issue(1)]).rename(tmp_path / "na\udcffme.json")
    assert imported(own[0], file, "player")["created"] == 1
    assert called(own[0], tmp_path / "no\udcffne.json", "player")[0] == 2


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("maren,a@\n", "Line 1: 'a@' is neither an e-mail address"),
        (f"maren,{'a' * 250}@lumen.example\n", "Line 1: email:"),
        (f"maren,ada@lumen.example,{'x' * 300}\n", "Line 1: name:"),
        (f"{'m' * 300},ada@lumen.example\n", "Line 1: the login is longer than 200 characters."),
        ('"' + "x" * 200_000, "It is not a table"),
    ],
)
def test_people_are_judged_as_users_are(own: tuple[str, Database], tmp_path: Path, lines: str, said: str) -> None:
    people = tmp_path / "people.csv"
    people.write_text(lines, encoding="utf-8")
    code, out, err = called(own[0], written(tmp_path, [issue(1)]), "player", "--people", str(people))
    assert (code, out, said in err) == (2, b"", True), err


def test_somebody_new_may_have_two_logins(own: tuple[str, Database], tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("maren,ada@lumen.example,Ada\njoon,ADA@lumen.example,Ada\n", encoding="utf-8")
    file = written(tmp_path, [issue(1, comments=[comment("a", "Yes.")])])
    assert imported(own[0], file, "player", "--people", str(people))["people"] == 1
    assert count(own[1], "users") == 1
