"""Reads a file: its issues in the order of their numbers, and what else it holds."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from ticketing.sources import repositories
from ticketing.sources.files import FIELDS, LINE, NAME, Entries, Readable
from ticketing.sources.github import fields, shapes
from ticketing.sources.github.issue import issue_of
from ticketing.sources.github.survey import Survey
from ticketing.sources.github.values import BadEntry, Values
from ticketing.sources.issues import Bad, Head, Issue, Issues, Notes, Rules

COUNTED = "comments that GitHub counts are not in the file"
MOST_COMMENTS = 2**31
"""More than any issue has; a larger count is a mistake."""


class Missing(Exception):
    """Fields are missing from every entry; the message says which, and how to go on."""

    def __init__(self, fields: list[str], comments: str | None) -> None:
        names = ", ".join(fields)
        # The REST API returns comments separately.
        elsewhere = f"add its comments to the file with `{comments}`, " if comments and "comments" in fields else ""
        super().__init__(
            f"No issue in it has {names}. Get {'it' if len(fields) == 1 else 'them'} with `{LINE}`, "
            f"{elsewhere}or import without: --without {','.join(fields)}"
        )
        self.fields = fields


@dataclass(slots=True)
class Reading:
    """The contents of a file: issues in the order of their numbers, and what else it holds."""

    rules: Rules
    entries: Entries = field(default_factory=Entries)
    survey: Survey = field(default_factory=Survey)
    issues: Issues = field(init=False)
    bad: list[Bad] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)
    #: Positions of entries that are well-formed, but are not issues or repeat one.
    left_out: list[int] = field(default_factory=list)
    #: Fields that a ticket has no place for, and how many entries have a value there.
    fields: Counter[str] = field(default_factory=Counter)
    #: Issues without a URL, or whose URL names no repository.
    homeless: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.issues = Issues(lambda index: self.issue(index, self.row(self.entries[index]), Notes(), []))

    @property
    def absent(self) -> frozenset[str]:
        """Fields that no issue has."""
        return self.survey.absent

    @property
    def repositories(self) -> set[str]:
        """The repositories of the issues."""
        return self.survey.repositories

    def row(self, entry: Any) -> Any:
        """An entry in `gh`'s shape, with its comments."""
        row = shapes.in_shape(entry)
        if isinstance(row, dict) and type(row.get("comments")) is int:
            del row["comments"]
            if self.survey.has_comments and not shapes.is_pull_request(row):
                row["comments"] = [
                    shapes.like_gh(self.entries[at]) for at in self.survey.comments.get(shapes.key(row), ())
                ]
        return row

    def issue(self, index: int, row: Any, notes: Notes, bad: list[Bad]) -> Issue:
        """An entry as an issue; remarks on it are added to `notes` and `bad`. Raises BadEntry."""
        return issue_of(index, row, Values(self.rules, notes, self.survey.bots), self.survey.absent, bad)


def read(
    file: Readable, rules: Rules, *, without: Collection[str] = (), repository: str | None = None, name: str = NAME
) -> Reading:
    """The issues of the file of this name. Raises Unreadable, and Missing for fields that are not in `without`.

    `repository` is given only if the file does not name it.
    """
    reading = Reading(rules)
    for index, entry in enumerate(reading.entries.keep(file)):
        reading.survey.look_at(index, entry)
    asked = [each for each in reading.absent if each not in without and each not in fields.EXTRA]
    if asked:
        known = next(iter(sorted(reading.repositories)), repository)
        comments = None if reading.survey.has_comments else _line_of_comments(known, name)
        raise Missing(sorted(asked, key=FIELDS.split(",").index), comments)
    seen: dict[str, int] = {}
    for index in range(len(reading.entries)):
        _read_entry(index, reading, seen)
    # `gh` prints the newest first, but ticket numbers rise with time.
    reading.issues.heads.sort(key=lambda head: int(head.id))
    return reading


def _line_of_comments(repository: str | None, file: str) -> str:
    """The command that adds comments to a file of the REST API. In a clone `gh` knows the repository (`gh help api`).

    https://docs.github.com/en/rest/issues/comments#list-issue-comments-for-a-repository
    """
    host, path = repositories.HOME, "{owner}/{repo}"
    if repository:
        host, path = repositories.host_of(repository), "/".join(repository.split("/")[-2:])
    there = "" if host == repositories.HOME else f" --hostname {host}"
    zipped = " | gzip" if file.endswith(".gz") else ""
    line = f"gh api --paginate{there} 'repos/{path}/issues/comments?per_page=100'"
    return f"{line}{zipped} >> {shlex.quote(file)}"


def _read_entry(index: int, reading: Reading, seen: dict[str, int]) -> None:
    entry = reading.entries[index]
    if (key := shapes.key_of_comment(entry)) is not None:
        _check_comment(index, key, reading)
        return
    number = _printable_number(entry)
    row = reading.row(entry)
    if isinstance(row, dict) and shapes.is_pull_request(row):
        reading.left_out.append(index)
        reading.notes.add("pull requests are left out: only issues become tickets", number or "unknown")
        return
    if isinstance(row, dict) and type(entry.get("comments")) is int:
        lacking = min(entry["comments"], MOST_COMMENTS) - len(row.get("comments", ()))
        if lacking > 0:
            reading.notes.add(COUNTED, number or "unknown", lacking)
    notes, bad, unused = Notes(), list[Bad](), Counter[str]()
    try:
        issue = reading.issue(index, row, notes, bad)
        fields.count(row, unused)
        if issue.id in seen:
            if reading.row(reading.entries[seen[issue.id]]) != row:
                raise BadEntry(f"issue {issue.id} is in the file already, at position {seen[issue.id]}, and differs")
            reading.left_out.append(index)
            reading.notes.add("issues that are in the file twice, and alike, are taken once", issue.id)
            return
    except BadEntry as fault:
        reading.bad.append(Bad(index, number, str(fault)))
        return
    seen[issue.id] = index
    reading.issues.heads.append(Head(index, issue.id, issue.author, issue.created_at))
    reading.bad += bad
    reading.notes.extend(notes)
    reading.fields += unused
    if not repositories.canonical(str(row.get("url"))):
        reading.homeless.append(issue.id)


def _check_comment(index: int, key: tuple[str, str], reading: Reading) -> None:
    """Report a comment that is a separate entry if it belongs to no issue."""
    _, number = key
    if key in reading.survey.commented:
        return
    if number in reading.survey.pull_requests:
        reading.notes.add("comments on pull requests are left out", number)
    else:
        reading.bad.append(Bad(index, number, "it is a comment on an issue that is not in the file"))


def _printable_number(row: Any) -> str | None:
    number = row.get("number") if isinstance(row, dict) else None
    return str(number) if type(number) is int else None
