"""What `ticketing import github` understands, and what it says of a file that it does not take."""

from __future__ import annotations

import gzip
import io
import json
import re
import subprocess
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from test_import_github import Database, Issue, called, closed, command, comment, environ, imported, issue, own, written

from ticketing.sources import files, github, repositories
from ticketing.sources.files import LINE, Entries, Unreadable
from ticketing.sources.issues import Rules

__all__ = ["own"]

RULES = Rules(types=("bug", "feature_request", "support"), default_type="support", now=datetime.now(UTC))
COUNTS = ("created", "updated", "unchanged", "left_out")


def read(*values: Any, without: str = "") -> github.Reading:
    """What is read of values that stand one after the other."""
    data = "\n".join(map(json.dumps, values)).encode()
    return github.read(io.BytesIO(data), RULES, without=without.split(","))


def rest(number: int, **fields: Any) -> Issue:
    """An issue as the REST API gives it."""
    there = f"https://api.github.com/repos/octo/cat/issues/{number}"
    moment = "2024-03-01T09:00:00Z"
    blank = {"number": number, "title": f"Issue {number}", "body": None, "state": "open", "state_reason": None}
    people: Issue = {
        "user": {"login": "maren", "id": 7},
        "assignee": None,
        "assignees": [],
        "labels": [],
        "comments": 0,
    }
    moments = {"created_at": moment, "updated_at": moment, "closed_at": None}
    return {"url": there, "html_url": there.replace("api.github.com/repos", "github.com"), "node_id": f"I_{number}"} | (
        blank | people | moments | fields
    )


# Shapes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        json.dumps([[issue(1)], [issue(2)]]),
        json.dumps([issue(1)]) + json.dumps([issue(2)]),
        json.dumps(issue(1)) + "\n" + json.dumps(issue(2)) + "\n",
        json.dumps(issue(1), indent=1) + json.dumps(issue(2), indent=1),
        json.dumps({"total_count": 2, "incomplete_results": False, "items": [issue(1), issue(2)]}),
        "\ufeff\x1e" + json.dumps(issue(1)) + "\n\x1e" + json.dumps(issue(2)),
    ],
)
def test_pages_and_lines_are_read_like_one_array(data: str) -> None:
    assert [each.id for each in github.read(io.BytesIO(data.encode()), RULES).issues] == ["1", "2"]


def test_what_the_rest_api_gives_is_read_like_what_gh_prints() -> None:
    entry = rest(
        1,
        body="It jams.",
        state="closed",
        state_reason="not_planned",
        closed_at="2024-03-02T09:00:00Z",
        labels=[{"id": 1, "name": "bug"}],
        assignee={"login": "joon"},
        assignees=[{"login": "joon"}],
        milestone={"number": 1, "title": "1.0"},
        reactions={"total_count": 3, "+1": 2, "hooray": 1},
    )
    (read_,) = (reading := read([entry])).issues
    assert (read_.type, read_.resolution, read_.description, read_.author) == ("bug", "wont_fix", "It jams.", "maren")
    assert (read_.closed_at, read_.assignee) == (datetime(2024, 3, 2, 9, tzinfo=UTC), "joon")
    assert read_.environment == {
        "github_url": "https://github.com/octo/cat/issues/1",
        "github_milestone": "1.0",
        "github_reactions": "👍 2 🎉 1",
    }
    assert reading.repositories == {"octo/cat"}
    assert reading.fields.keys() == {"id", "author.id", "labels.id", "milestone.number"}


def test_comments_of_the_rest_api_are_a_list_of_their_own() -> None:
    there = "https://api.github.com/repos/octo/cat/issues/"
    said = [
        {"issue_url": f"{there}{n}", "node_id": f"IC_{n}", "user": {"login": "joon"}, "body": "Indeed."}
        | {"created_at": "2024-03-01T10:00:00Z"}
        for n in (1, 3, 9)
    ]
    pull_request = rest(3, pull_request={"merged_at": None})
    reading = read([rest(1, comments=1), rest(2, comments=2), pull_request], said)
    assert [[each.id for each in each.comments] for each in reading.issues] == [["IC_1"], []]
    assert [(bad.number, bad.reason) for bad in reading.bad] == [
        ("9", "it is a comment on an issue that is not in the file")
    ]
    assert reading.notes.issues["comments that GitHub counts are not in the file"] == {"2": 2}
    assert reading.notes.issues["comments on pull requests are left out"] == {"3": 1}


@pytest.mark.parametrize("person", ["maren", {"login": "maren"}])
def test_a_person_is_an_object_or_a_login(person: Any) -> None:
    (read_,) = read([issue(1, author=person, assignees=[person], labels=["bug"])]).issues
    assert (read_.author, read_.assignee, read_.type) == ("maren", "maren", "bug")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ('{"data": {"repository": {"issues": {"nodes": []}}}}', "It is an answer of GraphQL."),
        (json.dumps([issue(1, comments={"nodes": []})]), "It is an answer of GraphQL."),
        (
            '{"message": "Not Found", "documentation_url": "https://docs.github.com"}',
            "It is an error message of GitHub",
        ),
        ('[{"iid": 1, "title": "a"}, {"iid": 2, "title": "b"}]', "It is an export of GitLab."),
        ('{"issues": [{"key": "A-1", "fields": {"summary": "a"}}]}', "It is an export of Jira."),
        ('[{"key": "A-1", "fields": {}}]', "It is an export of Jira."),
        ('{"tickets": [{"id": 1, "subject": "a"}]}', "It is an export of Zendesk."),
        ("Issue key,Summary,Status\nA-1,a,Open\n", "It is an export of Jira (CSV)."),
        ("Title,Description,Issue ID,URL\na,b,1,c\n", "It is an export of GitLab (CSV)."),
        ('"Ticket ID";"Subject"\n1;a\n', "It is an export of Zendesk (CSV)."),
        ("a,b,c\n1,2,3\n", "It is a table (CSV)."),
        ("<?xml version='1.0'?>\n<!-- JIRA -->\n<rss></rss>", "It is an export of Jira (XML)."),
        ("<!DOCTYPE html><html></html>", "It is a page of HTML."),
        (
            '[{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]',
            "It holds objects with the fields id, name, none of which",
        ),
        ("[1, 2, 3]", "It holds no objects, and so no issues."),
        ("[null]", "It holds no objects, and so no issues."),
        ('[{"data": {"repository": {"issues": {"nodes": []}}}}]', "It is an answer of GraphQL."),
        ('{"nodes": [{"number": 1, "title": "a"}], "pageInfo": {}}', "It is a part of an answer of GraphQL."),
        ('[{"issues": [{"key": "A-1", "fields": {}}], "total": 1}]', "It is an export of Jira."),
        ('{"expand": "", "issues": [], "total": 0}', "It is an export of Jira."),
        ('[{"id": 1, "subject": "a", "requester_id": 2, "status": 2}]', "It is an export of Freshdesk."),
        ('[{"id": 1, "subject": "a", "requester_id": 2, "status": "open"}]', "It is an export of Zendesk."),
        ('[{"number": "INC001", "short_description": "a"}]', "It holds objects with the fields number, short_desc"),
        ('[{"number": 7, "short_description": "a"}]', "It holds objects with the fields number, short_desc"),
    ],
)
def test_a_file_of_another_system_is_recognised_in_one_sentence(data: str, said: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        github.read(io.BytesIO(data.encode()), RULES)
    assert str(refusal.value).startswith(said)
    assert LINE in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "name", "begin", "end"),
    [
        ("https://github.com/octo/cat", "all.json", "'repos/octo/cat", ">> all.json"),
        ("https://github.com/octo/cat", "a b.json", "'repos/octo/cat", ">> 'a b.json'"),
        ("https://github.com/octo/cat", "a.json.gz", "'repos/octo/cat", "| gzip >> a.json.gz"),
        ("https://ghe.lumen.example/a/b", "x", "--hostname ghe.lumen.example 'repos/a/b", ">> x"),
        (None, "x", "'repos/lumen/player", ">> x"),
    ],
)
def test_the_line_that_adds_comments_of_the_rest_api_names_the_repository_and_the_file(
    url: str | None, name: str, begin: str, end: str
) -> None:
    entry = rest(1, comments=2, html_url=url and f"{url}/issues/1")
    entry["url"] = entry["html_url"]
    data = io.BytesIO(json.dumps([entry]).encode())
    with pytest.raises(github.Missing) as refusal:
        github.read(data, RULES, repository="lumen/player", name=name)
    assert f"`gh api --paginate {begin}/issues/comments?per_page=100' {end}`" in str(refusal.value)


# Files that are larger than memory --------------------------------------------------------------------------------


def value(random: Random, depth: int = 0) -> Any:
    kind = random.randrange(8 if depth < 3 else 6)
    if kind < 4:
        parts = ["a", "\n", '"', "\\", "é", "🎬", "\ud800", "x" * 30]
        return "".join(random.choice(parts) for _ in range(random.randrange(6)))
    if kind < 6:
        return random.choice([None, True, float("inf"), random.randrange(-(10**12), 10**12), random.random() * 1e-9])
    if kind == 6:
        return [value(random, depth + 1) for _ in range(random.randrange(4))]
    return {str(value(random, 9)): value(random, depth + 1) for _ in range(random.randrange(4))}


@pytest.mark.parametrize("seed", range(40))
def test_pieces_are_read_like_the_whole(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - it is for no secret
    rows = [{"what": value(random)} for _ in range(random.randrange(1, 5))]
    text = json.dumps(rows, ensure_ascii=random.random() < 0.5, indent=random.choice([None, 1]))
    if seed % 2:
        at = random.randrange(len(text))
        text = text[:at] + random.choice(["", "x", '"', "]", "}", ","]) + text[at + random.randrange(2) :]
    monkeypatch.setattr(files, "PIECE", random.choice([1, 2, 3, 7, 16, 40]))
    first = json.dumps(issue(1)) + "\n"
    data = (first + text).encode(errors="surrogatepass")
    entries = Entries()

    def kept() -> list[Any]:
        return list(entries.keep(io.BytesIO(gzip.compress(data) if random.random() < 0.5 else data)))

    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        place = re.escape(f"line {error.lineno + 1} column {error.colno} (char {len(first) + error.pos}), after")
        with pytest.raises(Unreadable, match=place if error.msg != "Extra data" else ""):
            kept()
    else:
        assert repr(kept()) == repr([entries[at] for at in range(len(entries))]) == repr([issue(1), *whole])


class Endless:
    """A file of so many issues, each with a long text, that is made while it is read."""

    def __init__(self, issues: int) -> None:
        self.issues = (json.dumps(issue(n + 1, body="x" * 100_000)).encode() for n in range(issues))

    def read(self, size: int = -1, /) -> bytes:
        return next(self.issues, b"")


def test_memory_is_bounded_however_long_a_file_is() -> None:
    tracemalloc.start()
    reading = github.read(Endless(300), RULES)
    assert sum(len(each.description) for each in reading.issues) == 30_000_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_value_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LONGEST_ENTRY", 500_000)
    said = "A value that is longer than 500,000 characters, or does not end: line 1 column 3"
    with pytest.raises(Unreadable, match=said):
        github.read(io.BytesIO(b'[ "' + b"x" * 10_000_000), RULES)


# Fields that are missing ------------------------------------------------------------------------------------------


def test_fields_that_no_issue_has_are_asked_about_before_anything_is_written(
    own: tuple[str, Database], tmp_path: Path
) -> None:
    url, conn = own
    for number, field in enumerate(
        ("body", "author", "labels", "assignees", "updatedAt", "comments", "stateReason"), 1
    ):
        entry = issue(number, **closed())
        del entry[field]
        file = written(tmp_path, [entry])

        code, out, err = called(url, file, "player")

        assert (code, out) == (2, b"")
        assert f"No issue in it has {field}." in err
        assert LINE in err
        assert f"--without {field}" in err
        assert conn.execute("select from tickets").rowcount == number - 1
        report = imported(url, file, "player", "--without", field)
        assert report["created"] == 1
        assert field in report["fields_absent"]


def test_only_what_closed_issues_have_is_asked_about_if_one_is_closed() -> None:
    entry = issue(1)
    del entry["stateReason"], entry["closedAt"]
    assert len(read([entry]).issues) == 1
    with pytest.raises(github.Missing) as missing:
        read([entry | closed() | {"number": 2}])
    assert missing.value.fields == ["stateReason"]


def test_what_the_rest_api_only_counts_is_asked_about() -> None:
    with pytest.raises(github.Missing) as missing:
        read([rest(1), rest(2, comments=3)])
    assert missing.value.fields == ["comments"]
    reading = read([rest(1), rest(2, comments=3)], without="comments")
    assert reading.notes.issues["comments that GitHub counts are not in the file"] == {"2": 3}
    assert len(read([rest(1), rest(2)]).issues) == 2


def test_a_field_that_some_issues_lack_is_noted() -> None:
    entry = issue(2)
    del entry["body"]
    notes = read([issue(1), entry]).notes.issues
    assert notes == {"the field body is missing here, though other issues have it": {"2": 1}}


def test_only_fields_of_issues_can_be_left_out(own: tuple[str, Database], tmp_path: Path) -> None:
    for field in ("titel", "title"):
        code, _, err = called(own[0], written(tmp_path, [issue(1)]), "player", "--without", field)
        assert code == 2
        assert f"--without cannot leave out {field}." in err


# The repository -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spelling",
    [
        "octo/cat",
        "Octo/CAT",
        "github:octo/cat",
        "https://github.com/octo/cat",
        "https://github.com/Octo/Cat.git/",
        "http://www.github.com/octo/cat/issues/12#issuecomment-7",
        "git@github.com:octo/cat.git",
        "ssh://git@github.com/octo/cat",
        "https://api.github.com/repos/octo/cat/issues/12",
        "github.com/octo/cat/",
    ],
)
def test_a_repository_has_one_name(spelling: str) -> None:
    assert repositories.canonical(spelling) == "octo/cat"


def test_a_repository_of_another_host_is_another() -> None:
    assert repositories.canonical("https://git.lumen.example/octo/cat.git") == "git.lumen.example/octo/cat"
    assert repositories.canonical("https://git.lumen.example/api/v3/repos/Octo/cat") == "git.lumen.example/octo/cat"
    assert repositories.source("git.lumen.example/octo/cat").system == "github:git.lumen.example"


def test_what_is_no_repository_is_refused(own: tuple[str, Database], tmp_path: Path) -> None:
    file = written(tmp_path, [issue(1)])
    for spelling in ("octo", "octo/", "/cat", "octo/cat/dog", "octo cat", "https://github.com/octo", ""):
        code, out, err = called(own[0], file, "player", "--repository", spelling)
        assert (code, out) == (2, b"")
        assert "is not a repository" in err


def test_the_repository_is_known_from_the_file_or_asked_for(own: tuple[str, Database], tmp_path: Path) -> None:
    url, conn = own
    plain = written(tmp_path, [issue(1)])
    code, _, err = called(url, plain, "player", repository=False)
    assert (code, "--repository owner/name" in err) == (2, True)
    mixed = written(
        tmp_path, [issue(n, url=f"https://github.com/octo/{name}/issues/{n}") for n, name in ((1, "a"), (2, "b"))]
    )
    code, _, err = called(url, mixed, "player", repository=False)
    assert (code, "several repositories, octo/a, octo/b." in err) == (2, True)
    own_url = written(tmp_path, [issue(1, url="https://github.com/Octo/Cat/issues/1")])
    code, _, err = called(url, own_url, "player", "--repository", "octo/dog")
    assert (code, "holds issues of octo/cat, not of octo/dog" in err) == (2, True)
    assert conn.execute("select from tickets").fetchall() == []
    called(url, own_url, "player", repository=False)
    assert imported(url, own_url, "player", "--repository", "https://github.com/OCTO/CAT.git")["unchanged"] == 1
    (ticket,) = conn.execute("select external_source from tickets").fetchall()
    assert ticket["external_source"] == "github:octo/cat"


def test_issues_of_two_repositories_never_meet(own: tuple[str, Database], tmp_path: Path) -> None:
    url, conn = own
    first = written(tmp_path, [issue(1, url="https://github.com/octo/cat/issues/1")])
    second = written(tmp_path, [issue(1, url="https://github.com/octo/dog/issues/1", title="Woof", **closed())])
    for file in (first, second):
        assert called(url, file, "player", repository=False)[0] == 0
    rows = conn.execute("select external_source, title, status from tickets order by number").fetchall()
    assert [tuple(row.values()) for row in rows] == [
        ("github:octo/cat", "Issue 1", "open"),
        ("github:octo/dog", "Woof", "closed"),
    ]


# What the owner would expect ------------------------------------------------------------------------------------


def test_moments_that_cannot_be_are_reported_and_not_taken() -> None:
    reading = read(
        [
            issue(1, createdAt="2999-01-01T00:00:00Z"),
            issue(2, **closed("2023-01-01T00:00:00Z")),
            issue(3, **closed("2999-01-01T00:00:00Z")),
            issue(4, createdAt="0001-01-01T00:00:00Z"),
            issue(5, updatedAt="2999-01-01T00:00:00Z", comments=[comment("a", "From afar", "2999-01-01T00:00:00Z")]),
        ]
    )
    assert [(bad.number, bad.reason) for bad in reading.bad] == [
        ("1", "createdAt is in the future: 2999-01-01T00:00:00Z"),
        ("2", "it was closed before it was created"),
        ("3", "closedAt is in the future: 2999-01-01T00:00:00Z"),
        ("4", "createdAt is not a date and time like 2026-11-24T10:00:00Z"),
        ("5", "comment 0: createdAt is in the future: 2999-01-01T00:00:00Z"),
    ]
    (taken,) = reading.issues
    assert (taken.updated_at, taken.comments) == (taken.created_at, [])
    assert any("updatedAt is in the future" in note for note in reading.notes.issues)


def test_a_bot_has_one_name() -> None:
    bots: list[Any] = [
        {"login": "app/dependabot", "is_bot": True},
        {"login": "dependabot[bot]"},
        {"login": "dependabot", "type": "Bot"},
        {"login": "app/dependabot"},
    ]
    reading = read([issue(n, author=bot) for n, bot in enumerate(bots, 1)])
    assert {each.author for each in reading.issues} == {"dependabot[bot]"}
    assert "the bot 'app/dependabot' is 'dependabot[bot]' here" in reading.notes.issues


def test_labels_of_every_script_stay_apart() -> None:
    names = [
        "求職",
        "ошибка",
        "エラー",
        "größe",
        "C++",
        "c#",
        "C",
        "P1",
        "p1 ",
        "Priority: High",
        "🚀",
        ".net",
        "हिन्दी",
    ]
    reading = read([issue(1, labels=[{"name": name} for name in names])])
    assert next(iter(reading.issues)).tags == [
        "求職", "ошибка", "エラー", "größe", "c++", "c#", "c", "p1", "priority: high", "🚀", ".net", "हिन्दी",
    ]  # fmt: skip
    changed = {"C++": "c++", "C": "c", "P1": "p1", "p1 ": "p1", "Priority: High": "priority: high"}
    assert reading.notes.issues.keys() == {
        f"the label {label!r} became the tag {tag!r}" for label, tag in changed.items()
    }


def test_what_is_in_the_file_twice_is_taken_once() -> None:
    said = comment("a", "Once")
    reading = read([issue(1, comments=[said, said])], [issue(1, comments=[said, said])])
    assert [len(each.comments) for each in reading.issues] == [1]
    assert (reading.left_out, reading.bad) == ([1], [])
    assert len(reading.notes.issues) == 2


# Odd files --------------------------------------------------------------------------------------------------------


def test_files_that_were_put_together_may_have_marks_in_the_middle() -> None:
    one, two = (json.dumps([issue(n)]).encode("utf-8-sig") for n in (1, 2))
    assert [each.id for each in github.read(io.BytesIO(one + b"\r\n" + two), RULES).issues] == ["1", "2"]


@pytest.mark.parametrize("repository", ["octo/pull", "pull/7"])
def test_an_issue_of_a_repository_called_pull_is_no_pull_request(repository: str) -> None:
    url = f"https://github.com/{repository}"
    reading = read([issue(1, url=f"{url}/issues/1"), issue(2, url=f"{url}/pull/2"), issue(3, url=f"{url}/pull/3#x")])
    assert ([each.id for each in reading.issues], reading.left_out) == (["1"], [1, 2])


@pytest.mark.parametrize("count", [10**12, 10**30, -(10**12)])
def test_a_count_of_comments_that_cannot_be_takes_no_time(count: int) -> None:
    reading = read([rest(1, comments=count)], without="comments")
    assert len(reading.issues) == 1
    (note,) = [note for note in reading.notes.entries() if "GitHub counts" in note["note"]] or [{"count": 0}]
    assert note["count"] == (2**31 if count > 0 else 0)


@pytest.mark.parametrize("number", ["\ud800", "7" * 100_000, "\0"])
def test_a_comment_on_what_cannot_be_a_number_is_reported(
    own: tuple[str, Database], tmp_path: Path, number: str
) -> None:
    said = {"issue_url": f"https://api.github.com/repos/octo/cat/issues/{number}", "created_at": "2024-03-01T10:00:00Z"}
    file = tmp_path / "issues.json"
    file.write_text(json.dumps([rest(1, comments=1), said | {"user": {"login": "joon"}, "body": "Hm."}]))
    report = imported(own[0], file, "player", "--repository", "octo/cat", code=1)
    (bad,) = report["bad"]
    assert bad["reason"] == "it is a comment on an issue that is not in the file"
    assert len(bad["number"]) <= 200


def test_standard_input_that_is_closed_cannot_be_read(own: tuple[str, Database]) -> None:
    closed_ = ["sh", "-c", 'exec "$@" <&-', "sh", *command("-", "player")]
    done = subprocess.run(closed_, env=environ(own[0]), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("ticketing: Standard input is closed. Name a file,")


@pytest.mark.parametrize("levels", [100, 101, 955, 5_000])
def test_what_is_nested_too_deeply_is_refused_before_anything_is_written(levels: int) -> None:
    odd = "[" * (levels - 1) + "]" * (levels - 1)
    data = json.dumps(issue(1))[:-1].encode() + f', "odd": {odd}}}'.encode()
    if levels <= files.DEEPEST:
        assert len(github.read(io.BytesIO(data), RULES).issues) == 1
    else:
        with pytest.raises(Unreadable, match="nested too deeply"):
            github.read(io.BytesIO(data), RULES)
