"""Imports that follow others: what was edited since, references, people, maps, and taking an import back."""

from __future__ import annotations

import json
import random
import subprocess
import tracemalloc
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from test_feed import end, since
from test_import_github import (
    Database,
    Issue,
    await_locked,
    called,
    closed,
    command,
    comment,
    count,
    environ,
    everything,
    figures,
    imported,
    issue,
    own,
    read_back,
    repository,
    typed,
    utc,
    written,
)

from conftest import Person
from ticketing.sources import references
from working import index

__all__ = ["own", "repository"]

MERGE = {"Content-Type": "application/merge-patch+json"}


def notes(report: dict[str, Any]) -> dict[str, list[str]]:
    return {note["note"]: note["issues"] for note in report["notes"]}


def patched(agent: Person, ticket: dict[str, Any], **fields: Any) -> None:
    assert agent.request("PATCH", f"/tickets/{ticket['number']}", json=fields, headers=MERGE).status_code == 200


# What was edited there --------------------------------------------------------------------------------------------


def test_what_was_edited_there_is_reported_and_taken_with_update(
    database_url: str, agent: Person, project: str, repository: str, tmp_path: Path
) -> None:
    named = ("--repository", repository)
    said = comment("a", "Me too.")
    imported(database_url, written(tmp_path, [issue(1, comments=[said])]), project, *named)
    before = read_back(agent, project)["1"]
    labels = [{"name": "ux"}]
    later: dict[str, Any] = {
        "updatedAt": "2024-04-01T09:00:00Z",
        "assignees": [{"login": "joon"}],
        "milestone": {"title": "1.0"},
    }
    after = issue(1, title="Renamed", body="More.", labels=labels, comments=[said | {"body": "Me too!"}], **later)
    file = written(tmp_path, [after])

    report = imported(database_url, file, project, *named)

    assert (*figures(report)[:4], report["different"]) == (0, 0, 1, 0, 1)
    edited = {note.split(" was edited")[0] for note in notes(report)}
    assert edited == {
        "title", "description", "tags", "assignee", "github_milestone",
        "comments were edited there, and stay as they are here; --update takes them over",
    }  # fmt: skip
    assert read_back(agent, project)["1"] == before
    assert imported(database_url, file, project, *named, "--dry-run", "--update")["updated"] == 1

    report = imported(database_url, file, project, *named, "--update")

    assert (*figures(report)[:4], report["different"]) == (0, 1, 0, 0, 0)
    ticket = read_back(agent, project)["1"]
    assert (ticket["title"], ticket["description"], ticket["tags"]) == ("Renamed", "More.", ["ux"])
    assert (ticket["assignee"]["name"], ticket["environment"]) == ("joon", {"github_milestone": "1.0"})
    assert ticket["updated_at"] == utc(later["updatedAt"])
    (reworded,) = ticket.pop("comments")
    assert reworded["body"] == "Me too!"
    *_, of_ticket, of_comment = agent.pages(f"/tickets/{ticket['number']}/events")
    assert (of_ticket["type"], of_ticket["timestamp"]) == ("ticket.updated", utc(later["updatedAt"]))
    assert of_ticket["previous"] == {
        "title": "Issue 1", "description": "", "tags": [], "assignee": None, "environment": {},
    }  # fmt: skip
    assert of_ticket["data"] == ticket
    assert (of_comment["type"], of_comment["previous"]) == ("comment.updated", {"body": "Me too."})
    assert of_comment["data"] == reworded
    report = imported(database_url, file, project, *named, "--update")
    assert (*figures(report), report["different"], notes(report)) == (0, 0, 1, 0, 0, 0, {})


def test_what_was_changed_here_stays_although_it_was_edited_there(
    database_url: str, agent: Person, project: str, repository: str, tmp_path: Path
) -> None:
    named = ("--repository", repository, "--update")
    said = comment("a", "Me too.")
    imported(database_url, written(tmp_path, [issue(1, comments=[said])]), project, *named)
    ticket = read_back(agent, project)["1"]
    patched(agent, ticket, title="Ours")
    after = issue(1, title="Theirs", body="Theirs", comments=[said])

    report = imported(database_url, written(tmp_path, [after]), project, *named)

    assert (report["updated"], report["different"]) == (1, 1)
    assert notes(report)["title was edited there and changed here, and stays as it is here"] == ["1"]
    ticket = read_back(agent, project)["1"]
    assert (ticket["title"], ticket["description"]) == ("Ours", "Theirs")


# What was removed there -------------------------------------------------------------------------------------------

SAID = comment("a", "Me too.") | {"isMinimized": True}
FULL: dict[str, Any] = closed() | {
    "body": "It does.",
    "stateReason": "NOT_PLANNED",
    "labels": [{"name": "ux"}],
    "type": {"name": "Bug"},
    "assignees": [{"login": "joon"}, {"login": "tilda"}],
    "milestone": {"title": "1.0"},
    "reactionGroups": [{"content": "HEART", "users": {"totalCount": 2}}],
    "url": "https://github.com/{repository}/issues/1",
    "comments": [SAID],
}
TAKEN = "{} was edited there, and taken over"
#: What is there no more; the note with `--update`; and where to look in the ticket, if it is not there any more either.
REMOVED: list[tuple[Issue, str, tuple[str, Any] | None]] = [
    ({"body": ""}, TAKEN.format("description"), ("description", "")),
    ({"body": None}, TAKEN.format("description"), ("description", "")),
    ({"stateReason": ""}, TAKEN.format("resolution"), ("resolution", "fixed")),
    ({"stateReason": None}, TAKEN.format("resolution"), ("resolution", "fixed")),
    ({"labels": []}, TAKEN.format("tags"), ("tags", [])),
    ({"labels": None}, TAKEN.format("tags"), ("tags", [])),
    ({"type": None}, TAKEN.format("github_type"), ("github_type", None)),
    ({"type": None}, "its type was changed there; a ticket's type stays", None),
    ({"assignees": []}, TAKEN.format("assignee"), ("assignee", None)),
    ({"assignees": FULL["assignees"][:1]}, TAKEN.format("github_assignees"), ("github_assignees", None)),
    ({"milestone": None}, TAKEN.format("github_milestone"), ("github_milestone", None)),
    ({"reactionGroups": []}, TAKEN.format("github_reactions"), ("github_reactions", None)),
    ({"url": None}, TAKEN.format("github_url"), ("github_url", None)),
    ({"state": "OPEN", "closedAt": None, "stateReason": "REOPENED"}, "", ("status", "open")),
    ({"author": None}, "its author has left GitHub; the requester stays the same", None),
    ({"author": {"login": "ghost"}}, "its author has left GitHub; the requester stays the same", None),
    ({"comments": []}, "comments that are not there any more stay here", None),
    ({"comments": [SAID | {"body": ""}]}, "comments that are not there any more stay here", None),
    (
        {"comments": [SAID | {"author": None}]},
        "authors of comments have left GitHub; the comments stay with those who wrote them",
        None,
    ),
    (
        {"comments": [SAID | {"isMinimized": False}]},
        "comments that are not hidden there any more stay internal here",
        None,
    ),
    ({"comments": [SAID | {"body": "Me"}]}, "comments were edited there, and taken over", ("comment", "Me")),
]


def full(repository: str, **fields: Any) -> Issue:
    return issue(1, **FULL | {"url": FULL["url"].format(repository=repository)} | fields)


@pytest.mark.parametrize(("removed", "note", "place"), REMOVED)
def test_what_was_removed_there_is_reported_and_taken_with_update(
    database_url: str,
    agent: Person,
    project: str,
    repository: str,
    tmp_path: Path,
    removed: Issue,
    note: str,
    place: tuple[str, Any] | None,
) -> None:
    named = ("--repository", repository)
    imported(database_url, written(tmp_path, [full(repository)]), project, *named)
    before = read_back(agent, project)["1"]
    file = written(tmp_path, [full(repository, **removed)])

    report = imported(database_url, file, project, *named, "--dry-run")

    assert (report["updated"], report["different"]) == ((0, 1) if note else (1, 0))
    report = imported(database_url, file, project, *named, "--update")
    assert note in notes(report) or not note
    ticket = read_back(agent, project)["1"]
    if place is None:
        assert report["different"] == 1
        assert [said["body"] for said in ticket["comments"]] == ["Me too."]
        assert (ticket["type"], ticket["requester"]) == (before["type"], before["requester"])
        assert [said["author"] for said in ticket["comments"]] == [said["author"] for said in before["comments"]]
    else:
        name, value = place
        found = {**ticket["environment"], **ticket, "comment": ticket["comments"][0]["body"]}
        assert (report["updated"], found.get(name)) == (1, value)
        *_, event = agent.pages(f"/tickets/{ticket['number']}/events")
        assert event["data"] in (ticket_of(ticket), ticket["comments"][0])
    report = imported(database_url, file, project, *named, "--update")
    assert (report["updated"], report["comments"]) == (0, 0)


def ticket_of(read: dict[str, Any]) -> dict[str, Any]:
    """A ticket that was read back, without its comments."""
    return {name: value for name, value in read.items() if name != "comments"}


@pytest.mark.parametrize("field", [name for name in FULL if name not in ("state", "closedAt", "updatedAt")])
@pytest.mark.parametrize("others", [0, 1])
def test_what_a_file_does_not_tell_is_not_removed(
    database_url: str, agent: Person, project: str, repository: str, tmp_path: Path, field: str, others: int
) -> None:
    named = ("--repository", repository, "--update")
    imported(database_url, written(tmp_path, [full(repository)]), project, *named)
    before = read_back(agent, project)["1"]
    entry = full(repository)
    del entry[field]
    more = [full(repository) | {"number": n + 2} for n in range(others)]
    without = () if others or field in ("type", "url", "milestone", "reactionGroups") else ("--without", field)

    report = imported(database_url, written(tmp_path, [entry, *more]), project, *named, *without)

    assert (report["updated"], report["different"]) == (0, 0)
    assert read_back(agent, project)["1"] == before
    if field != "comments":
        assert any(note.startswith("the file does not have ") for note in notes(report))


@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("first", [True, False])
def test_comments_of_somebody_who_has_left_are_not_doubled(
    own: tuple[str, Database], tmp_path: Path, ids: bool, first: bool
) -> None:
    url, conn = own
    said = [comment(f"IC_{n}", f"Said {n}", by=f"person-{n % 3}") for n in range(6)]
    left = [entry | {"author": {"login": ""}} if n % 3 == 0 else entry for n, entry in enumerate(said)]
    if not ids:
        for entry in (*said, *left):
            entry.pop("id", None)
    files = [written(tmp_path, [issue(1, comments=comments)]) for comments in (said, left)]
    imported(url, files[not first], "player")

    report = imported(url, files[first], "player", "--update")

    assert (report["updated"], report["comments"]) == (0, 0)
    rows = conn.execute("select body from comments order by body").fetchall()
    assert [row["body"] for row in rows] == [f"Said {n}" for n in range(6)]


def test_an_issue_that_is_not_there_any_more_is_named(own: tuple[str, Database], tmp_path: Path) -> None:
    url, _ = own
    imported(url, written(tmp_path, [issue(n) for n in range(1, 8)]), "player")
    file = written(tmp_path, [issue(1), issue(2, title="")])
    assert imported(url, file, "player", code=1)["not_in_file"] == [str(n) for n in range(3, 8)]
    _, out, _ = called(url, written(tmp_path, [issue(1)]), "player")
    assert "Imported before, but not in this file: 2, 3, 4, 5, 6 and 1 more. Their tickets stay" in out.decode()


@pytest.mark.parametrize("name", ["type", "issueType"])
def test_a_type_is_read_by_both_names(
    database_url: str, agent: Person, project: str, tmp_path: Path, name: str
) -> None:
    entry = issue(1) | {name: {"name": "Bug"}}
    imported(database_url, written(tmp_path, [entry]), project, "--repository", f"lumen/{project}")
    ticket = read_back(agent, project)["1"]
    assert (ticket["type"], ticket["environment"]) == ("bug", {"github_type": "Bug"})


def test_a_reason_that_comes_later_is_known_to_be_new(own: tuple[str, Database], tmp_path: Path) -> None:
    url, conn = own
    with_reason = issue(1, **closed()) | {"stateReason": "NOT_PLANNED"}
    without = {name: value for name, value in with_reason.items() if name != "stateReason"}
    imported(url, written(tmp_path, [without]), "player", "--without", "stateReason")
    file = written(tmp_path, [with_reason])
    assert imported(url, file, "player")["different"] == 1
    assert imported(url, file, "player", "--update")["updated"] == 1
    (ticket,) = conn.execute("select resolution, status from tickets").fetchall()
    assert ticket == {"resolution": "wont_fix", "status": "closed"}
    assert imported(url, file, "player")["different"] == 0


@pytest.mark.parametrize("first", ["ids", "none"])
def test_comments_with_and_without_ids_are_not_doubled(own: tuple[str, Database], tmp_path: Path, first: str) -> None:
    url, conn = own
    said = [comment(f"IC_{n}", f"Said {n}", f"2024-03-01T10:00:0{n // 2}Z") for n in range(5)]
    plain = [{name: value for name, value in entry.items() if name != "id"} for entry in said]
    files = {"ids": written(tmp_path, [issue(1, comments=said)]), "none": written(tmp_path, [issue(1, comments=plain)])}
    imported(url, files.pop(first), "player")
    (other,) = files.values()

    report = imported(url, other, "player")

    assert (*figures(report), report["different"], notes(report)) == (0, 0, 1, 0, 0, 0, {})
    assert count(conn, "comments") == 5


def test_a_file_of_another_repository_is_refused_before_anything_is_changed(
    own: tuple[str, Database], tmp_path: Path
) -> None:
    url, conn = own
    imported(url, written(tmp_path, [issue(1), issue(2, author=None)]), "player")
    before = everything(conn)
    for other in (
        issue(1, createdAt="2024-03-01T09:00:05Z", **closed()),
        issue(1, author={"login": "tilda"}, **closed()),
    ):
        code, out, err = called(url, written(tmp_path, [other, issue(3)]), "player")
        assert (code, out) == (2, b"")
        assert "Issues 1 were created at another time or by somebody else" in err
        assert called(url, written(tmp_path, [other, issue(3)]), "player", "--dry-run")[0] == 2
    assert everything(conn) == before
    same = [issue(1, author={"login": "Maren"}), issue(2, author={"login": "joon"})]
    assert imported(url, written(tmp_path, same), "player")["unchanged"] == 2


def test_hidden_comments_are_internal_with_their_events(
    database_url: str, agent: Person, project: str, repository: str, tmp_path: Path
) -> None:
    hidden = comment("a", "Buy this") | {"isMinimized": True, "minimizedReason": "SPAM"}
    report = imported(
        database_url, written(tmp_path, [issue(1, comments=[hidden])]), project, "--repository", repository
    )
    assert notes(report) == {"comments that are hidden on GitHub became internal": ["1"]}
    ticket = read_back(agent, project)["1"]
    assert [said["visibility"] for said in ticket["comments"]] == ["internal"]
    *_, event = agent.pages(f"/tickets/{ticket['number']}/events")
    assert (event["type"], event["data"]["visibility"]) == ("comment.created", "internal")
    with psycopg.connect(database_url) as conn:
        (row,) = conn.execute(
            "select internal from events where ticket = %s and type = 'comment.created'", (ticket["number"],)
        )
    assert row == (True,)


# References -----------------------------------------------------------------------------------------------------


#: Texts, and what they become if octo/cat#12 is ticket 1012, and octo/dog#7 ticket 99.
REFERENCES = [
    ("See #12.", "See #1012."),
    ("(#12), #12: GH-12", "(#1012), #1012: #1012"),
    ("octo/cat#12 Octo/Cat#12", "#1012 #1012"),
    ("https://github.com/octo/cat/issues/12", "#1012"),
    ("<https://github.com/Octo/Cat/issues/12#issuecomment-5>.", "#1012."),
    ("[#12](https://github.com/octo/cat/issues/12)", "#1012"),
    ("[that](https://github.com/octo/cat/issues/12)", "that (#1012)"),
    ("octo/dog#7 and https://github.com/octo/dog/issues/7", "#99 and #99"),
    ("#5 and GH-5", "octo/cat#5 and octo/cat#5"),
    ("octo/cat#5 https://github.com/octo/cat/pull/12", "octo/cat#5 https://github.com/octo/cat/pull/12"),
    ("#0 #012 #123456 a#12 &#12; ##12 #12a #12-x /#12", "#0 #012 #123456 a#12 &#12; ##12 #12a #12-x /#12"),
    ("`#12` ``a ` #12`` #12", "`#12` ``a ` #12`` #1012"),
    ("`no end #12", "`no end #1012"),
    ("```\n#12\n```\n#12", "```\n#12\n```\n#1012"),
    ("~~~~ c\n#12\n~~~\n#12", "~~~~ c\n#12\n~~~\n#12"),
    ("<!-- #12 --> #12", "<!-- #12 --> #1012"),
    ("<code>#12</code> <pre>\n#12\n</pre> #12", "<code>#12</code> <pre>\n#12\n</pre> #1012"),
    ('<a href="#12" title="see #12">#12</a>', '<a href="#12" title="see #12">#1012</a>'),
    ("[x](#12) [x](y#12 'z') [x](/w_(x)#12)", "[x](#12) [x](y#12 'z') [x](/w_(x)#12)"),
    ("[see #12](https://example.org) #12", "[see octo/cat#12](https://example.org) #1012"),
    (
        "https://example.org/?#12 https://example.org/w_(x)#12",
        "https://example.org/?#12 https://example.org/w_(x)#12",
    ),
    ("[ref]: https://example.org/ '#12'\n#12", "[ref]: https://example.org/ '#12'\n#1012"),
    (
        "https://example.org/https://github.com/octo/cat/issues/12",
        "https://example.org/https://github.com/octo/cat/issues/12",
    ),
    ("https://github.com:443/octo/cat/issues/12", "#1012"),
    ("a\n\n    #12\n\n\t`#12\n\n#12 `", "a\n\n    #12\n\n\t`#12\n\n#1012 `"),
    ("- a\n\n    #12", "- a\n\n    #1012"),
    ("a\n    #12", "a\n    #1012"),
    ("```\n\n    #12\n\n```\n#12", "```\n\n    #12\n\n```\n#1012"),
]


@pytest.mark.parametrize(("text", "said"), REFERENCES)
def test_references_lead_to_tickets(text: str, said: str) -> None:
    known = {("octo/cat", "12"): 1012, ("octo/dog", "7"): 99}
    rewritten, led = references.rewritten(text, "octo/cat", lambda *issue: known.get(issue))
    assert rewritten == said
    assert led == rewritten.count("#1012") + rewritten.count("#99")
    assert len(list(references.mentions(text, "octo/cat"))) >= led


@pytest.mark.parametrize("seed", range(20))
def test_paragraphs_are_read_each_on_its_own(seed: int) -> None:
    """Whatever stands beside it, each reference leads where it led, and all else stays as it is."""
    known = {("octo/cat", "12"): 1012, ("octo/dog", "7"): 99}
    # Without what goes on until the end of the text, or is another thing within a list.
    whole = [case for case in REFERENCES if not case[0].startswith(("~~~~", "- "))]
    chosen = random.Random(seed).choices(whole, k=30)  # noqa: S311 - it is no secret
    text, said = ("\n\n".join(side) for side in zip(*chosen, strict=True))
    assert references.rewritten(text, "octo/cat", lambda *issue: known.get(issue))[0] == said


def test_references_lead_forward_and_back_and_to_later_runs(
    database_url: str, agent: Person, project: str, repository: str, tmp_path: Path
) -> None:
    named = ("--repository", repository)
    said = comment("a", f"Like #1, #9 and {repository}#2.")
    first = issue(1, body="After #2, before #3 and #9.")
    report = imported(database_url, written(tmp_path, [issue(2, comments=[said]), first]), project, *named)
    one, two = (read_back(agent, project)[number] for number in ("1", "2"))
    assert one["description"] == f"After #{two['number']}, before {repository}#3 and {repository}#9."
    assert two["comments"][0]["body"] == f"Like #{one['number']}, {repository}#9 and #{two['number']}."
    assert notes(report)["references to issues became references to their tickets"] == ["1", "2"]

    imported(database_url, written(tmp_path, [issue(9), issue(3)]), project, *named)

    tickets = read_back(agent, project)
    three, nine = (tickets[number]["number"] for number in ("3", "9"))
    assert tickets["1"]["description"] == f"After #{two['number']}, before #{three} and #{nine}."
    assert tickets["2"]["comments"][0]["body"] == f"Like #{one['number']}, #{nine} and #{two['number']}."
    *_, event = agent.pages(f"/tickets/{one['number']}/events")
    assert (event["type"], event["previous"]) == ("ticket.updated", {"description": one["description"]})
    *_, event = agent.pages(f"/tickets/{two['number']}/events")
    assert (event["type"], event["previous"]) == ("comment.updated", {"body": two["comments"][0]["body"]})
    report = imported(database_url, written(tmp_path, [issue(2, comments=[said]), first]), project, *named)
    assert (report["unchanged"], report["different"]) == (2, 0)


def test_references_lead_to_another_repository_whichever_came_first(own: tuple[str, Database], tmp_path: Path) -> None:
    url, conn = own
    for name, body in (("cat", "Like octo/dog#1."), ("dog", "Like https://github.com/octo/cat/issues/1.")):
        imported(url, written(tmp_path, [issue(1, body=body)]), "player", "--repository", f"octo/{name}")
    rows = conn.execute("select number, description from tickets order by number").fetchall()
    cat, dog = (row["number"] for row in rows)
    assert [row["description"] for row in rows] == [f"Like #{dog}.", f"Like #{cat}."]


# Interrupted runs -------------------------------------------------------------------------------------------------


def test_references_are_settled_by_the_run_after_one_that_was_killed(own: tuple[str, Database], tmp_path: Path) -> None:
    url, conn = own
    said = [comment("a", "Like #2.")]
    imported(url, written(tmp_path, [issue(1, body="After #2.", comments=said)]), "player")
    conn.execute(
        "create function stall() returns trigger language plpgsql as"
        " $$ begin perform pg_advisory_xact_lock(1); return new; end $$"
    )
    conn.execute("create trigger stall before update of description on tickets for each row execute function stall()")
    conn.execute("select pg_advisory_lock(1)")
    file = written(tmp_path, [issue(1, body="After #2.", comments=said), issue(2)])
    process = subprocess.Popen(command(file, "player"), env=environ(url), stdout=subprocess.DEVNULL)
    await_locked(conn)
    process.kill()
    process.wait()
    conn.execute("select pg_advisory_unlock(1)")
    conn.execute("drop function stall cascade")
    query = "select number, description, (select body from comments where ticket = number) as body from tickets"
    one, two = conn.execute(f"{query} order by number".encode()).fetchall()
    assert (one["description"], one["body"]) == ("After lumen/player#2.", "Like lumen/player#2.")

    imported(url, file, "player")

    one, two = conn.execute(f"{query} order by number".encode()).fetchall()
    assert (one["description"], one["body"]) == (f"After #{two['number']}.", f"Like #{two['number']}.")


def test_a_number_that_was_only_reserved_is_no_ticket(own: tuple[str, Database], tmp_path: Path) -> None:
    url, conn = own
    # As an interrupted run leaves it.
    conn.execute(
        "insert into imported_issues (source, id, ticket, author, created_at)"
        " values ('github:lumen/player', '9', 999, 'maren', '2024-03-01T09:00:00Z')"
    )
    first = issue(1, body="See #9.")
    imported(url, written(tmp_path, [first]), "player")
    query = "select description from tickets where external_id = '1'"
    assert conn.execute(query).fetchall() == [{"description": "See lumen/player#9."}]
    imported(url, written(tmp_path, [first, issue(9)]), "player")
    assert conn.execute(query).fetchall() == [{"description": "See #999."}]


def test_texts_that_refer_elsewhere_are_not_all_in_memory_at_once(own: tuple[str, Database], tmp_path: Path) -> None:
    url, _ = own
    long = "x" * 20_000 + " See #999."
    imported(url, written(tmp_path, [issue(n, body=long) for n in range(1, 301)]), "player")
    tracemalloc.start()
    imported(url, written(tmp_path, [issue(301)]), "player")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_500_000


# People and maps ------------------------------------------------------------------------------------------------


def test_a_map_tells_the_tickets(own: tuple[str, Database], tmp_path: Path) -> None:
    url, conn = own
    conn.execute("select setval(pg_get_serial_sequence('tickets', 'number'), 500)")
    target = tmp_path / "map.csv"
    imported(url, written(tmp_path, [issue(7), issue(3)]), "player", "--map", str(target), "--dry-run")
    assert not target.exists()
    imported(url, written(tmp_path, [issue(7), issue(3)]), "player", "--map", str(target))
    assert target.read_text().splitlines() == ["repository,issue,ticket", "lumen/player,3,501", "lumen/player,7,502"]
    before = target.open()  # As a reader who has begun to read, or a backup.
    imported(url, written(tmp_path, [issue(7)]), "player", "--map", str(target))
    assert len(before.read().splitlines()) == 3, "it is replaced, not emptied and written again"
    before.close()
    assert len(target.read_text().splitlines()) == 2
    assert {file.name for file in tmp_path.glob("*map*")} == {"map.csv"}
    code, _, err = called(url, written(tmp_path, [issue(8)]), "player", "--map", str(tmp_path / "none" / "map.csv"))
    assert (code, "cannot be written" in err, count(conn, "tickets")) == (2, True, 2)


def test_people_are_who_the_file_says(own: tuple[str, Database], tmp_path: Path) -> None:
    url, conn = own
    conn.execute(
        "insert into users (id, name, email, role) values (gen_random_uuid(), 'Ada', 'ada@lumen.example', 'agent')"
    )
    people = tmp_path / "people.csv"
    people.write_text("login,user\nMaren,ADA@lumen.example\n@joon,joon@lumen.example,Joon Ito\n", encoding="utf-8")
    file = written(tmp_path, [issue(1, assignees=[{"login": "maren"}], comments=[comment("a", "Yes.")])])
    foreseen = imported(url, file, "player", "--people", str(people), "--dry-run")
    report = imported(url, file, "player", "--people", str(people))
    assert foreseen | {"dry_run": False, "run": 1} == report
    assert report["people"] == 1
    query = (
        "select r.name as requester, a.name as assignee, w.name as author, w.email"
        "  from tickets t join users r on r.id = t.requester_id join users a on a.id = t.assignee_id"
        "  join comments c on c.ticket = t.number join users w on w.id = c.author_id"
    )
    assert conn.execute(query).fetchall() == [
        {"requester": "Ada", "assignee": "Ada", "author": "Joon Ito", "email": "joon@lumen.example"}
    ]
    assert count(conn, "users") == 2
    # It is remembered, also without the file, and whoever goes by another name now is the same.
    imported(url, written(tmp_path, [issue(2)]), "player")
    people.write_text("maren-ito,ada@lumen.example\n", encoding="utf-8")
    renamed = written(tmp_path, [issue(1, author={"login": "maren-ito"}, comments=[comment("a", "Yes.")])])
    assert called(url, renamed, "player")[0] == 2
    assert imported(url, renamed, "player", "--people", str(people))["unchanged"] == 1
    assert count(conn, "users") == 2


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("maren\n", "Line 1 must look like"),
        ("maren,nobody\n", "Line 1: 'nobody' is neither an e-mail address nor the id of a user."),
        ("login,user\nmaren,018f0000-0000-7000-8000-000000000000\n", "Line 2: there is no user with the id"),
        ("maren,a@lumen.example\nMAREN,b@lumen.example\n", "maren is in it twice."),
    ],
)
def test_a_people_file_that_names_nobody_is_refused(
    own: tuple[str, Database], tmp_path: Path, lines: str, said: str
) -> None:
    people = tmp_path / "people.csv"
    people.write_text(lines, encoding="utf-8")
    code, out, err = called(own[0], written(tmp_path, [issue(1)]), "player", "--people", str(people))
    assert (code, out) == (2, b"")
    assert said in err
    assert count(own[1], "tickets") == 0


# Runs, and taking them back ---------------------------------------------------------------------------------------


def ran(url: str, *arguments: str, code: int = 0) -> str:
    """What `ticketing import …` prints, run in this process."""
    ended, out, err = typed(*arguments, "--database-url", url)
    assert ended == code, err
    return out.decode() if code == 0 else err


def test_an_import_is_taken_back_but_for_what_was_touched(
    database_url: str, agent: Person, project: str, repository: str, tmp_path: Path
) -> None:
    named = ("--repository", repository)
    said = comment("a", "Me too.")
    first = imported(database_url, written(tmp_path, [issue(1)]), project, *named)
    entries = [issue(1, comments=[said]), *(issue(n, comments=[said]) for n in range(2, 7))]
    second = imported(database_url, written(tmp_path, entries), project, *named)
    tickets = read_back(agent, project)
    patched(agent, tickets["3"], priority="high")
    answer = {"body": "A note.", "visibility": "internal"}
    assert agent.post(f"/tickets/{tickets['4']['number']}/comments", json=answer).status_code == 201
    theirs = tickets["5"]["comments"][0]["id"]
    with psycopg.connect(database_url) as conn:
        conn.execute("update comments set body = 'Reworded.' where id = %s", (theirs,))

    report = json.loads(ran(database_url, "revert", str(second["run"]), "--json"))

    assert (report["removed"], report["comments"]) == (2, 1)
    assert {kept["ticket"]: kept["reason"] for kept in report["kept"]} == {
        tickets["3"]["number"]: "it was changed here",
        tickets["4"]["number"]: "somebody here has commented on it",
        tickets["5"]["number"]: "a comment on it was changed here",
    }
    left = read_back(agent, project)
    assert left.keys() == {"1", "3", "4", "5"}
    assert [said["body"] for said in left["1"]["comments"]] == [None]
    assert [said["body"] for said in left["5"]["comments"]] == ["Reworded."]
    for number in ("2", "6"):
        assert agent.get(f"/tickets/{tickets[number]['number']}").status_code == 404
    with psycopg.connect(database_url) as conn:
        told = conn.execute(
            "select ticket, data ->> 'title' from events"
            " where type = 'ticket.deleted' and project = %s order by ticket",
            (project,),
        ).fetchall()
    assert told == [(tickets[n]["number"], f"Issue {n}") for n in ("2", "6")]
    again = json.loads(ran(database_url, "revert", str(second["run"]), "--json"))
    assert (again["status"], again["removed"], again["kept"]) == ("partly reverted", 0, report["kept"])
    assert "There is no run 999999." in ran(database_url, "revert", "999999", code=1)
    # It can come again.
    again = imported(database_url, written(tmp_path, entries), project, *named)
    assert again["created"] == 2
    assert [said["body"] for said in read_back(agent, project)["1"]["comments"]] == [None, "Me too."]
    (kept,) = json.loads(ran(database_url, "revert", str(first["run"]), "--json"))["kept"]
    assert kept["reason"] == "a later import has added comments; revert that one first"


def test_an_import_is_found_by_its_words_until_it_is_taken_back(
    database_url: str, agent: Person, project: str, repository: str, tmp_path: Path
) -> None:
    words = [f"w{uuid4().hex}" for _ in range(4)]
    named = ("--repository", repository)

    def found() -> list[int]:
        with psycopg.connect(database_url) as conn:
            rows = [
                conn.execute(f"select number from {table} where text @@ plainto_tsquery('ts_other', %s)", (word,))
                for word in words
                for table in ("ticket_documents", "staff_documents")
            ]
            return [len(each.fetchall()) for each in rows]

    said = comment("a", words[1])
    first = imported(
        database_url, written(tmp_path, [issue(1, title=words[0], comments=[said]), issue(2, title=words[0])]),
        project, *named,
    )  # fmt: skip
    index()
    assert found() == [2, 0, 1, 0, 0, 0, 0, 0]
    changed = issue(1, title=words[2], comments=[said | {"body": words[3]}], updatedAt="2024-04-01T09:00:00Z")
    second = imported(database_url, written(tmp_path, [changed, issue(3, title=words[0])]), project, *named, "--update")
    index()
    assert found() == [2, 0, 0, 0, 1, 0, 1, 0]
    for run in (second, first):
        ran(database_url, "revert", str(run["run"]))
    assert found() == [0] * 8
    with psycopg.connect(database_url) as conn:
        assert conn.execute("select word from words where word = any(%s)", (words,)).fetchall() == []
    index()
    assert found() == [0] * 8


def test_runs_are_taken_back_from_the_last_to_the_first(own: tuple[str, Database], tmp_path: Path) -> None:
    url, conn = own
    said = [comment("a", "Me too."), comment("b", "And me.", "2024-03-02T10:00:00Z")]
    for n in range(3):
        imported(url, written(tmp_path, [issue(1, comments=said[:n])]), "player")
    first = json.loads(ran(url, "revert", "1", "--json"))
    assert (first["status"], len(first["kept"])) == ("partly reverted", 1)
    for run in ("3", "2"):
        taken = json.loads(ran(url, "revert", run, "--json"))
        assert (taken["status"], taken["comments"]) == ("reverted", 1)
        assert "was reverted at" in ran(url, "revert", run, code=1)
    runs = [json.loads(line)["status"] for line in ran(url, "list", "--json").splitlines()]
    assert runs == ["reverted", "reverted", "partly reverted"]
    assert json.loads(ran(url, "revert", "1", "--json"))["removed"] == 1
    assert (count(conn, "tickets"), count(conn, "comments"), count(conn, "imported_issues")) == (0, 0, 0)
    assert imported(url, written(tmp_path, [issue(1, comments=said)]), "player")["comments"] == 2


@pytest.mark.parametrize("ids", [True, False])
def test_a_comment_that_was_taken_back_comes_again(own: tuple[str, Database], tmp_path: Path, ids: bool) -> None:
    url, conn = own
    said = comment("a", "Me too.")
    if not ids:
        del said["id"]
    imported(url, written(tmp_path, [issue(1)]), "player")
    file = written(tmp_path, [issue(1, comments=[said])])
    for run in (2, 3):
        report = imported(url, file, "player")
        assert (report["run"], report["comments"], notes(report)) == (run, 1, {})
        bodies = [row["body"] for row in conn.execute("select body from comments order by id").fetchall()]
        assert bodies == [None] * (run - 2) + ["Me too."]
        if run == 2:
            ran(url, "revert", str(run))
    assert imported(url, file, "player")["unchanged"] == 1
    # What somebody here deleted stays deleted.
    conn.execute("update comments set body = null, deleted_at = now() where deleted_at is null")
    assert imported(url, file, "player")["comments"] == 0


def test_a_run_that_is_running_keeps_others_out(own: tuple[str, Database], tmp_path: Path) -> None:
    url, conn = own
    said = [comment("last", "Indeed.")]
    before = written(tmp_path, [issue(n) for n in range(1, 151)])
    file = written(tmp_path, [issue(n, comments=said) for n in range(1, 251)])
    imported(url, before, "player")
    conn.execute(
        "create function stall() returns trigger language plpgsql as"
        " $$ begin if new.number = 250 then perform pg_advisory_xact_lock(1); end if; return new; end $$"
    )
    conn.execute("create trigger stall after insert on tickets for each row execute function stall()")
    conn.execute("select pg_advisory_lock(1)")
    process = subprocess.Popen(command(file, "player"), env=environ(url), stdout=subprocess.DEVNULL)
    try:
        await_locked(conn)
        assert "Run 2 is still running." in ran(url, "revert", "2", code=1)
        assert "Another import of github:lumen/player is running" in ran(url, "revert", "1", code=1)
        running, done = (json.loads(line) for line in ran(url, "list", "--json").splitlines())
        assert (running["status"], done["status"]) == ("running", "done")
        # What is committed is counted.
        assert (running["created"], running["updated"], running["comments"]) == (50, 150, 200)
    finally:
        process.kill()
        process.wait()
    conn.execute("select pg_advisory_unlock(1)")
    conn.execute("drop function stall cascade")
    report = json.loads(ran(url, "revert", "2", "--json"))
    assert (report["status"], report["removed"], report["comments"]) == ("reverted", 50, 150)
    assert json.loads(ran(url, "revert", "1", "--json"))["removed"] == 150
    assert (count(conn, "tickets"), imported(url, file, "player")["created"]) == (0, 250)


def test_an_archived_project_takes_no_import(own: tuple[str, Database], tmp_path: Path) -> None:
    url, conn = own
    conn.execute("update projects set archived = true")
    code, out, err = called(url, written(tmp_path, [issue(1)]), "player")
    assert (code, out, count(conn, "tickets")) == (2, b"", 0)
    assert "The project 'player' is archived and takes no tickets." in err


def test_staff_and_requester_hear_that_a_ticket_is_gone(
    database_url: str, agent: Person, requester: Person, project: str, repository: str, tmp_path: Path
) -> None:
    people = tmp_path / "people.csv"
    login = f"known-in-{project}"  # Who it is stays known, in a database that other tests share.
    people.write_text(f"{login},{requester.id}\n", encoding="utf-8")
    options = ("--repository", repository, "--people", str(people))
    report = imported(database_url, written(tmp_path, [issue(1, author={"login": login})]), project, *options)
    number = read_back(agent, project)["1"]["number"]
    assert requester.get(f"/tickets/{number}").status_code == 200
    readers = {person: end(person, type="ticket.deleted") for person in (agent, requester)}
    ran(database_url, "revert", str(report["run"]))
    assert requester.get(f"/tickets/{number}").status_code == 404
    for person, gone in ((agent, False), (requester, True)):
        (event,) = since(person, readers[person], type="ticket.deleted")
        assert (event["ticket_number"], event["tombstone"], event["data"] is None) == (number, gone, gone)


def test_runs_are_listed(own: tuple[str, Database], tmp_path: Path) -> None:
    url, _ = own
    assert ran(url, "list", "--json") == ""
    file = written(tmp_path, [issue(1, comments=[comment("a", "Yes.")])]).rename(tmp_path / f"{'long' * 50}.json")
    imported(url, file, "player")
    imported(url, written(tmp_path, [issue(1, **closed())]), "player")
    ran(url, "revert", "2")
    runs = [json.loads(line) for line in ran(url, "list", "--json").splitlines()]
    told = ("number", "source", "project", "file", "created", "updated", "comments")
    assert [tuple(run[name] for name in told) for run in runs][1] == (
        1, "github:lumen/player", "player", file.name, 1, 0, 1,
    )  # fmt: skip
    assert [bool(run["reverted_at"]) for run in runs] == [True, False]
    assert file.name in ran(url, "list")


# Finding the ticket of an issue -----------------------------------------------------------------------------------


def test_a_ticket_is_found_by_where_it_came_from(
    database_url: str, agent: Person, stranger: Person, project: str, repository: str, tmp_path: Path
) -> None:
    entries = [issue(1), issue(2), issue(3, **closed())]
    imported(database_url, written(tmp_path, entries), project, "--repository", repository)
    tickets = read_back(agent, project)

    def found(*references: str, by: Person = agent, **filters: str) -> list[int]:
        page = by.get("/tickets", params={"external_reference": ",".join(references), "sort": "created"} | filters)
        assert page.status_code == 200, page.text
        return [ticket["number"] for ticket in page.json()["items"]]

    source = f"github:{repository}"
    assert found(f"{source}#1") == found(f"{source.upper()}/1") == [tickets["1"]["number"]]
    assert found(f"{source}#3", f"{source}#2", f"{source}#4", sort="-created") == [
        tickets[number]["number"] for number in ("3", "2")
    ]
    assert found(f"{source}#2", f"{source}#3", status="closed", sort="priority") == [tickets["3"]["number"]]
    assert found(f"{source}#12") == found("github:nobody/nothing#1") == []
    assert found(f"{source}#1", by=stranger) == []
    assert len(agent.pages("/tickets", external_reference=f"{source}#1,{source}#2", limit=1)) == 2


@pytest.mark.parametrize("reference", ["octo", "#12", "github:octo/cat#", ""])
def test_what_is_no_reference_is_refused(agent: Person, reference: str) -> None:
    problem = agent.get("/tickets", params={"external_reference": reference})
    assert problem.status_code == 400
    assert problem.json()["errors"][0]["parameter"] == "external_reference"
