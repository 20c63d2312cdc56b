"""What of an issue can be edited, there and here; digests tell whether it was."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from ticketing.importing.issues import Issue

#: The fields of a file that a field of a ticket is made of.
MADE_OF = {
    "title": "title",
    "description": "body",
    "tags": "labels",
    "type": "labels",
    "assignee": "assignees",
    "resolution": "stateReason",
    "closed_at": "closedAt",
    "github_url": "url",
    "github_milestone": "milestone",
    "github_reactions": "reactionGroups",
    "github_assignees": "assignees",
}
ENVIRONMENT = ("github_url", "github_milestone", "github_reactions", "github_assignees", "github_type")

Digests = dict[str, str]


def digest(value: Any) -> str:
    """What tells a value from others."""
    return hashlib.blake2b(orjson.dumps(value), digest_size=12).hexdigest()


def digest_of_text(text: str | None) -> str:
    """What tells a comment's text from others; PostgreSQL says the same (`md5`)."""
    return hashlib.md5((text or "").encode(), usedforsecurity=False).hexdigest()


def there(issue: Issue, absent: frozenset[str]) -> dict[str, Any]:
    """The fields of an issue as the file has them; those of which it has none are not among them."""
    values: dict[str, Any] = {
        "title": issue.title,
        "description": issue.description,
        "tags": issue.tags,
        "type": issue.type,
        "assignee": issue.assignee and issue.assignee.lower(),
    }
    if issue.closed_at is not None:
        values |= {"resolution": issue.resolution, "closed_at": moment(issue.closed_at)}
    values |= {name: issue.environment.get(name, "") for name in ENVIRONMENT[:-1]}
    values |= {name: issue.environment[name] for name in ENVIRONMENT[-1:] if name in issue.environment}
    return {name: value for name, value in values.items() if MADE_OF.get(name) not in absent}


def here(ticket: Mapping[str, Any]) -> dict[str, Any]:
    """The same fields as a ticket has them: a row of it, as it is or is to be written."""
    values: dict[str, Any] = {name: ticket[name] for name in ("title", "description", "tags", "type")}
    values["assignee"] = ticket["assignee_id"] and str(ticket["assignee_id"])
    if ticket["status"] == "closed":
        values |= {"resolution": ticket["resolution"], "closed_at": moment(ticket["closed_at"])}
    return values | {name: ticket["environment"].get(name, "") for name in ENVIRONMENT}


def digests(values: Mapping[str, Any]) -> Digests:
    """The digest of each field."""
    return {name: digest(value) for name, value in values.items()}


def edited(seen: Digests, now: Mapping[str, Any], kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The fields that are not as they were seen there; of one that was never seen, if it would be another one here."""
    return [
        name
        for name, value in now.items()
        if (seen[name] != digest(value) if name in seen else digest(kept.get(name)) != digest(wanted.get(name)))
    ]


def changed_here(written: Digests, kept: Mapping[str, Any], name: str) -> bool:
    """Whether somebody here has changed a field since it was written."""
    return name in written and written[name] != digest(kept.get(name))


def moment(value: datetime | str | None) -> str | None:
    """A moment as answers give it: RFC 3339, UTC, milliseconds."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value
