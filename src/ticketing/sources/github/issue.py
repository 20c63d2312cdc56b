"""An entry of a file as an issue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from ticketing.sources import labels as labels_
from ticketing.sources.files import FIELDS
from ticketing.sources.github import fields
from ticketing.sources.github.values import LONGEST_NAME, BadEntry, Values, list_of, storable
from ticketing.sources.issues import Bad, Comment, Entry, Issue

LONGEST_VALUE = 500
"""Most characters of a value in a ticket's environment."""
REACTIONS = {
    "THUMBS_UP": "👍",
    "THUMBS_DOWN": "👎",
    "LAUGH": "😄",
    "HOORAY": "🎉",
    "CONFUSED": "😕",
    "HEART": "❤️",
    "ROCKET": "🚀",
    "EYES": "👀",
}
#: The same by the REST API's names.
REST_REACTIONS = {"+1": "👍", "-1": "👎"} | {name.lower(): sign for name, sign in REACTIONS.items()}


def issue_of(index: int, row: Any, values: Values, absent: Collection[str], bad: list[Bad]) -> Issue:
    """The issue; entries of `bad` are added for its bad comments. `absent` are the fields that no issue has.

    Raises BadEntry.
    """
    if not isinstance(row, dict):
        raise BadEntry("it is not an object")
    id_ = values.issue = _number(row)
    for name in FIELDS.split(","):
        if name not in row and name not in absent and name not in (*fields.NEEDED, *fields.EXTRA, *fields.OF_CLOSED):
            values.notes.add(f"the field {name} is missing here, though other issues have it", id_)
    title = values.line(row, "title")
    if not title:
        raise BadEntry("title is blank")
    names = values.labels(row)
    assignees = [values.login(person, "assignees") for person in list_of(row, "assignees")]
    created_at = values.moment(row, "createdAt")
    closed_at = _closed_at(row, values)
    if closed_at is not None and closed_at < created_at:
        raise BadEntry("it was closed before it was created")
    type_ = labels_.type_of([*names, *values.issue_type(row)], values.rules)
    _check_reason(row, values)
    return Issue(
        index=index,
        id=id_,
        type=type_,
        # Titles and texts longer than the API allows are kept whole: they cannot be shortened on GitHub.
        title=title,
        description=values.prose(row, "body"),
        tags=labels_.tags_of(names, id_, values.notes),
        environment=_environment(row, assignees, values),
        author=values.author(row),
        assignee=assignees[0] if assignees else None,
        created_at=created_at,
        updated_at=_updated_at(row, values, created_at),
        closed_at=closed_at,
        resolution="none"
        if closed_at is None
        else labels_.resolution_of(names, str(row.get("stateReason") or ""), type_),
        comments=list(_comments(index, row, values, bad)),
        absent=frozenset(fields.TAKEN[""] - row.keys()),
    )


def _number(row: Entry) -> str:
    number = row.get("number")
    if type(number) is not int or not 0 < number < 2**63:
        raise BadEntry("number is not a positive whole number")
    return str(number)


def _closed_at(row: Entry, values: Values) -> datetime | None:
    match row.get("state"):
        case "OPEN" | "open":
            if row.get("closedAt"):
                values.notes.add("closedAt of an issue that is open again is left out", values.issue)
            return None
        case "CLOSED" | "closed":
            if row.get("closedAt") is None and row.get("updatedAt") and "closedAt" not in row:
                values.notes.add("without closedAt, an issue counts as closed when it was last changed", values.issue)
                return values.moment(row, "updatedAt")
            return values.moment(row, "closedAt")
        case _:
            raise BadEntry("state is neither OPEN nor CLOSED")


def _check_reason(row: Entry, values: Values) -> None:
    """Note a reason for closing that does not fit the issue's state."""
    reason = row.get("stateReason")
    if reason in (None, ""):
        return
    known = isinstance(reason, str) and reason.upper() in (*labels_.REASONS, "COMPLETED", "REOPENED")
    if not known:
        shown = storable(str(reason))[:LONGEST_NAME]
        values.notes.add(f"the stateReason {shown!r} is not known, and left out", values.issue)
    elif (str(reason).upper() == "REOPENED") != (str(row.get("state")).upper() == "OPEN"):
        values.notes.add(f"the stateReason {reason} does not fit the state, and is left out", values.issue)


def _updated_at(row: Entry, values: Values, created_at: datetime) -> datetime:
    if row.get("updatedAt") is None:
        return created_at
    try:
        updated_at = values.moment(row, "updatedAt")
        if updated_at < created_at:
            values.notes.add("updatedAt is before createdAt, so that the latter counts for both", values.issue)
        return max(created_at, updated_at)
    except BadEntry as fault:
        values.notes.add(f"{fault}, so that the ticket was last changed when it was created", values.issue)
        return created_at


def _environment(row: Entry, assignees: list[str], values: Values) -> dict[str, str]:
    """Fields that tickets lack, as entries of the environment."""
    milestone = row.get("milestone")
    if isinstance(milestone, str):
        milestone = {"title": milestone}
    elif milestone is not None and not isinstance(milestone, dict):
        values.notes.add("milestone is neither an object nor a text, and left out", values.issue)
    entries = {
        "github_url": values.line(row, "url", required=False),
        "github_milestone": values.line(milestone, "title", "milestone") if isinstance(milestone, dict) else "",
        "github_reactions": _reactions(row.get("reactionGroups")),
        "github_assignees": ", ".join(assignees) if len(assignees) > 1 else "",
        "github_type": " ".join(values.issue_type(row)),
    }
    for name, value in entries.items():
        if len(value) > LONGEST_VALUE:
            values.notes.add(f"{name} is cut to {LONGEST_VALUE} characters", values.issue)
    if len(assignees) > 1:
        values.notes.add("the first assignee is the ticket's; all are in github_assignees", values.issue)
    return {name: value[:LONGEST_VALUE] for name, value in entries.items() if value}


def _reactions(value: Any) -> str:
    """`👍 9 🎉 2`."""
    counts: Iterator[tuple[str, Any]]
    if isinstance(value, list):
        groups = [group for group in value if isinstance(group, dict)]
        names = [storable(str(group.get("content"))) for group in groups]
        counts = ((REACTIONS.get(name, name), _total(g.get("users"))) for name, g in zip(names, groups, strict=True))
    elif isinstance(value, dict):
        counts = ((sign, value.get(name)) for name, sign in REST_REACTIONS.items())
    else:
        return ""
    return " ".join(f"{sign} {count}" for sign, count in counts if type(count) is int and count > 0)


def _total(users: Any) -> Any:
    return users.get("totalCount") if isinstance(users, dict) else None


def _comments(index: int, row: Entry, values: Values, bad: list[Bad]) -> Iterator[Comment]:
    """The valid comments, oldest first; the others are added to `bad`."""
    occasions: Counter[str] = Counter()
    taken: dict[str, Any] = {}
    comments = []
    for place, entry in enumerate(list_of(row, "comments")):
        try:
            comment = values.comment(entry, occasions)
            if comment.id and comment.id in taken:
                if taken[comment.id] != entry:
                    raise BadEntry("another comment has the same id")
                values.notes.add("comments that are in the file twice, and alike, are taken once", values.issue)
                continue
        except BadEntry as fault:
            bad.append(Bad(index, values.issue, f"comment {place}: {fault}", place))
            continue
        if comment.id:
            taken[comment.id] = entry
        if not comment.body:
            values.notes.add("comments without a text are left out", values.issue)
            continue
        comments.append(comment)
    yield from sorted(comments, key=lambda comment: comment.created_at)
