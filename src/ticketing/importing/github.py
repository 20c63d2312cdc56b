"""GitHub: reads what `gh issue list --json …` prints, and puts issues into our words."""

from __future__ import annotations

import gzip
import json
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ticketing import sql
from ticketing.importing.issues import Bad, Comment, Issue, Rules

Entry = Mapping[str, Any]

FIELDS = "number,title,body,state,stateReason,labels,author,assignees,createdAt,updatedAt,closedAt,comments"
GHOST = "ghost"
"""Whom GitHub shows in place of people who have left."""
GZIP = b"\x1f\x8b"
LONGEST_NAME = 200
MAX_TAGS = 20
LONGEST_TAG = 50

#: What a label says of the type, in order of precedence.
TYPES: dict[sql.TicketType, frozenset[str]] = {
    "bug": frozenset({"bug", "defect", "regression", "crash"}),
    "feature_request": frozenset({"enhancement", "feature", "feature request", "improvement"}),
    "support": frozenset({"question", "support", "help"}),
}
#: What a label says of the end of an issue, likewise.
RESOLUTIONS: dict[sql.TicketResolution, frozenset[str]] = {
    "spam": frozenset({"spam"}),
    "duplicate": frozenset({"duplicate"}),
    "cannot_reproduce": frozenset(
        {"cannot reproduce", "can't reproduce", "unable to reproduce", "not reproducible", "works for me", "worksforme"}
    ),
    "invalid": frozenset({"invalid", "not a bug"}),
    "wont_fix": frozenset({"wontfix", "wont fix", "won't fix", "not planned", "declined"}),
}
REASONS: dict[str, sql.TicketResolution] = {"NOT_PLANNED": "wont_fix", "DUPLICATE": "duplicate"}
DONE: dict[sql.TicketType, sql.TicketResolution] = {
    "bug": "fixed",
    "feature_request": "shipped",
    "support": "answered",
}
#: As in `kind/bug` or `status: duplicate`. Other prefixes are left alone: `area/support` is no question.
PREFIXES = frozenset({"kind", "type", "t", "resolution", "state", "status", "closed"})


class Unreadable(Exception):
    """The file as a whole is not what `gh issue list --json` prints."""


class BadEntry(Exception):
    """One entry is not an issue that can be imported; the message says why."""


@dataclass(slots=True)
class Reading:
    """What a file holds: issues in the order of their numbers, bad entries, and what did not fit into a ticket."""

    issues: list[Issue] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)


def read(data: bytes, rules: Rules) -> Reading:
    """The issues of a file, gzipped or not. Raises Unreadable."""
    entries = _entries(data)
    reading = Reading()
    seen: dict[str, int] = {}
    for index, entry in enumerate(entries):
        notes: set[str] = set()
        try:
            issue = _issue(index, entry, rules, notes)
            if issue.id in seen:
                raise BadEntry(f"issue {issue.id} is in the file already, at position {seen[issue.id]}")
        except BadEntry as fault:
            reading.bad.append(Bad(index, _printable_number(entry), str(fault)))
        else:
            seen[issue.id] = index
            reading.issues.append(issue)
            reading.notes |= notes
    # `gh` prints the newest first, but numbers are given in order of arrival.
    reading.issues.sort(key=lambda issue: int(issue.id))
    return reading


def _entries(data: bytes) -> list[Any]:
    try:
        # Unlike orjson, this parser takes the UTF-16 of PowerShell's `>`, and leaves half characters for us to report.
        entries = json.loads(gzip.decompress(data) if data.startswith(GZIP) else data)
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(f"It is gzipped, but damaged: {error}.") from None
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"It is not JSON: {error}.") from None
    if not isinstance(entries, list):
        raise Unreadable(f"It is not a JSON array, as `gh issue list --json {FIELDS}` prints it.")
    return entries


def _printable_number(entry: Any) -> str | None:
    number = entry.get("number") if isinstance(entry, dict) else None
    return str(number) if type(number) is int else None


def _issue(index: int, entry: Any, rules: Rules, notes: set[str]) -> Issue:
    if not isinstance(entry, dict):
        raise BadEntry("it is not an object")
    title = _text(entry, "title")
    if not title.strip():
        raise BadEntry("title is blank")
    labels = [_text(label, "name", "labels") for label in _objects(entry, "labels")]
    assignees = [_login(assignee, "assignees") for assignee in _objects(entry, "assignees")]
    for login in assignees[1:]:
        notes.add(f"the assignee {login!r} is left out where another comes first: a ticket has one")
    created_at = _moment(entry, "createdAt")
    type_ = _type(labels, rules)
    closed_at = _closed_at(entry)
    return Issue(
        index=index,
        id=_number(entry),
        type=type_,
        # Longer than the API would take them, titles and texts are kept whole: nobody can shorten them on GitHub.
        title=title,
        description=_text(entry, "body", required=False),
        tags=_tags(labels, notes),
        author=_author(entry),
        assignee=assignees[0] if assignees else None,
        created_at=created_at,
        updated_at=created_at if entry.get("updatedAt") is None else _moment(entry, "updatedAt"),
        closed_at=closed_at,
        resolution="none" if closed_at is None else _resolution(labels, entry.get("stateReason"), type_),
        comments=_comments(entry),
    )


def _number(entry: Entry) -> str:
    number = entry.get("number")
    if type(number) is not int or not 0 < number < 2**63:
        raise BadEntry("number is not a positive whole number")
    return str(number)


def _closed_at(entry: Entry) -> datetime | None:
    match entry.get("state"):
        case "OPEN" | "open":
            return None
        case "CLOSED" | "closed":
            return _moment(entry, "closedAt")
        case _:
            raise BadEntry("state is neither OPEN nor CLOSED")


def _author(entry: Entry) -> str:
    author = entry.get("author")
    if author is None:
        return GHOST
    if not isinstance(author, dict):
        raise BadEntry("author is not an object")
    return _login(author, "author")


def _login(person: Entry, where: str) -> str:
    # For whoever has left, `gh` prints an empty login, GitHub itself none at all.
    return _name(person, "login", where) or GHOST


def _comments(entry: Entry) -> list[Comment]:
    """The comments, oldest first. Those without an id get one from what never changes: when, and by whom."""
    occurrences: Counter[str] = Counter()
    comments = []
    for comment in _objects(entry, "comments"):
        created_at = _moment(comment, "createdAt", "comments")
        author = _author(comment)
        id_ = _name(comment, "id", "comments")
        if not id_:
            said = f"{created_at:%Y-%m-%dT%H:%M:%SZ}/{author}"
            occurrences[said] += 1
            id_ = f"{said}/{occurrences[said]}"
        body = _text(comment, "body", "comments", required=False)
        comments.append(Comment(id=id_, author=author, body=body, created_at=created_at))
    if len({comment.id for comment in comments}) < len(comments):
        raise BadEntry("two comments have the same id")
    return sorted(comments, key=lambda comment: comment.created_at)


# Labels ---------------------------------------------------------------------------------------------------------


def _type(labels: Sequence[str], rules: Rules) -> sql.TicketType:
    words = {_word(label) for label in labels}
    told = (type_ for type_, meaning in TYPES.items() if words & meaning and type_ in rules.types)
    return next(told, rules.default_type)


def _resolution(labels: Sequence[str], reason: Any, type_: sql.TicketType) -> sql.TicketResolution:
    words = {_word(label) for label in labels}
    for resolution, meaning in RESOLUTIONS.items():
        if words & meaning:
            return resolution
    return REASONS.get(str(reason), DONE[type_])


def _word(label: str) -> str:
    """`🐛 Bug`, `kind/bug` and `Type: bug` are all `bug`."""
    text = label.lower().replace("’", "'")
    prefix, _, rest = text.partition(":" if ":" in text else "/")
    return " ".join(re.findall(r"[a-z']+", rest if prefix.strip() in PREFIXES else text))


def _tags(labels: Iterable[str], notes: set[str]) -> list[str]:
    tags: list[str] = []
    for label in labels:
        tag = _tag(label)
        if not tag:
            notes.add(f"the label {label!r} is left out: a tag is made of a-z 0-9 . _ : / - and spaces")
        elif tag not in tags and len(tags) == MAX_TAGS:
            notes.add(f"the label {label!r} is left out where others come first: a ticket has {MAX_TAGS} tags")
        else:
            if tag != label.lower():
                notes.add(f"the label {label!r} became the tag {tag!r}")
            if tag not in tags:
                tags.append(tag)
    return tags


def _tag(label: str) -> str:
    """The label as a tag: without accents, in lower case, with hyphens for what a tag may not have."""
    plain = unicodedata.normalize("NFKD", " ".join(label.casefold().split()))
    ascii_ = "".join(character for character in plain if not unicodedata.combining(character))
    tag = re.sub(r"[^a-z0-9._:/ -]+", "-", ascii_)
    return re.sub(r"^[^a-z0-9]+", "", tag)[:LONGEST_TAG].rstrip(" -")


# Values ---------------------------------------------------------------------------------------------------------


def _objects(entry: Entry, key: str) -> list[dict[str, Any]]:
    """A list of objects; null, as Go prints an empty list, is one as well."""
    value = entry.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise BadEntry(f"{key} is not a list of objects")
    return value


def _text(entry: Entry, key: str, where: str = "", *, required: bool = True) -> str:
    value = entry.get(key)
    name = f"{where}: {key}" if where else key
    if value is None and not required:
        return ""
    if not isinstance(value, str):
        raise BadEntry(f"{name} is missing" if value is None else f"{name} is not a text")
    if "\0" in value:
        raise BadEntry(f"{name} has the character U+0000, which cannot be stored")
    if re.search("[\ud800-\udfff]", value):
        raise BadEntry(f"{name} has half a character, which cannot be stored")
    return value


def _name(entry: Entry, key: str, where: str) -> str:
    """A text that has to fit into an index."""
    text = _text(entry, key, where, required=False)
    if len(text) > LONGEST_NAME:
        raise BadEntry(f"{where}: {key} is longer than {LONGEST_NAME} characters")
    return text


def _moment(entry: Entry, key: str, where: str = "") -> datetime:
    value = _text(entry, key, where)
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise BadEntry(f"{where + ': ' if where else ''}{key} is no date and time like 2026-11-24T10:00:00Z")
