"""The editable fields of an issue, there and here, and digests that show whether they were edited."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from ticketing.sources.issues import Issue

#: The fields of a file from which each field of a ticket is made. If one is missing, the file does not specify it.
MADE_OF = {
    "title": {"title"},
    "description": {"body"},
    "tags": {"labels"},
    "type": {"labels"},
    "assignee": {"assignees"},
    "resolution": {"stateReason", "labels"},
    "closed_at": {"closedAt"},
    "github_url": {"url"},
    "github_milestone": {"milestone"},
    "github_reactions": {"reactionGroups"},
    "github_assignees": {"assignees"},
    "github_type": {"type"},
}
ENVIRONMENT = ("github_url", "github_milestone", "github_reactions", "github_assignees", "github_type")

Digests = dict[str, str]


def digest(value: Any) -> str:
    """A digest of a value."""
    return hashlib.blake2b(orjson.dumps(value), digest_size=12).hexdigest()


def digest_of_text(text: str | None) -> str:
    """A digest of a comment's text, the same as PostgreSQL's `md5`."""
    return hashlib.md5((text or "").encode(), usedforsecurity=False).hexdigest()


def unspecified(issue: Issue, seen: Digests) -> set[str]:
    """The fields that an issue's entry does not specify; `seen` are their digests at the last import.

    An issue that had a type keeps it until an entry says that it is gone. If the type is unspecified, so is whatever
    follows from it.
    """
    names = {name for name, made_of in MADE_OF.items() if made_of & issue.absent}
    return names | {"type", "resolution"} if "github_type" in names & with_value(seen) else names


def with_value(seen: Digests) -> set[str]:
    """The fields that were seen with a value."""
    nothing = {digest(""), digest(None), digest([])}
    return {name for name, value in seen.items() if value not in nothing}


def there(issue: Issue, seen: Digests) -> dict[str, Any]:
    """The fields of an issue as its entry has them, without the unspecified ones."""
    values: dict[str, Any] = {
        "title": issue.title,
        "description": issue.description,
        "tags": issue.tags,
        "type": issue.type,
        "assignee": issue.assignee and issue.assignee.lower(),
    }
    if issue.closed_at is not None:
        values |= {"resolution": issue.resolution, "closed_at": moment(issue.closed_at)}
    values |= {name: issue.environment.get(name, "") for name in ENVIRONMENT}
    return {name: value for name, value in values.items() if name not in unspecified(issue, seen)}


def here(ticket: Mapping[str, Any]) -> dict[str, Any]:
    """The same fields of a ticket, from its row or from a row to be written."""
    values: dict[str, Any] = {name: ticket[name] for name in ("title", "description", "tags", "type")}
    values["assignee"] = ticket["assignee_id"] and str(ticket["assignee_id"])
    if ticket["status"] == "closed":
        values |= {"resolution": ticket["resolution"], "closed_at": moment(ticket["closed_at"])}
    return values | {name: ticket["environment"].get(name, "") for name in ENVIRONMENT}


def digests(values: Mapping[str, Any]) -> Digests:
    """The digest of each field."""
    return {name: digest(value) for name, value in values.items()}


def edited(seen: Digests, now: Mapping[str, Any], kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The fields that have changed there since they were seen; of those never seen, the ones that differ here."""
    return [
        name
        for name, value in now.items()
        if (seen[name] != digest(value) if name in seen else digest(kept.get(name)) != digest(wanted.get(name)))
    ]


def changed_here(written: Digests, kept: Mapping[str, Any], name: str) -> bool:
    """Whether somebody here has changed a field since it was written."""
    return name in written and written[name] != digest(kept.get(name))


def moment(value: datetime | str | None) -> str | None:
    """A timestamp as answers write it: RFC 3339, UTC, milliseconds."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value
