"""The two shapes of an entry: `gh`'s, and the REST API's, which is brought into the first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ticketing.sources import repositories
from ticketing.sources.github.values import LONGEST_NAME, storable
from ticketing.sources.issues import Entry

#: The REST API's names of fields that `gh` names differently.
REST = {
    "user": "author",
    "created_at": "createdAt",
    "updated_at": "updatedAt",
    "closed_at": "closedAt",
    "state_reason": "stateReason",
    "html_url": "url",
    "reactions": "reactionGroups",
    "node_id": "id",
}
#: `gh`'s name of the REST API's `type`.
GH = {"issueType": "type"}
# A repository or its owner may also be called `pull`.
_URL_OF_PULL_REQUEST = re.compile(r"/pull/[0-9]+/?(?:[?#].*)?$")


def key_of_comment(entry: Any) -> tuple[str, str] | None:
    """Repository and issue number of a comment that the REST API returned separately; None for anything else."""
    if not isinstance(entry, dict) or not isinstance(entry.get("issue_url"), str) or "title" in entry:
        return None
    repository, _, number = entry["issue_url"].rpartition("/issues/")
    return repositories.canonical(repository) or "", storable(number)[:LONGEST_NAME]


def key(row: Entry) -> tuple[str, str]:
    """Repository and number of an issue."""
    return repositories.canonical(str(row.get("url"))) or "", str(row.get("number"))


def in_shape(entry: Any) -> Any:
    """An entry in `gh`'s shape."""
    if not isinstance(entry, dict):
        return entry
    rest = "created_at" in entry and "createdAt" not in entry
    return like_gh(entry) if rest else _renamed(entry, GH)


def like_gh(entry: Entry) -> dict[str, Any]:
    """An entry of the REST API in the shape of `gh`."""
    row = _renamed({key: value for key, value in entry.items() if key not in ("id", "url", "assignee")}, REST)
    row["url"] = entry.get("html_url") or entry.get("url")
    if "assignees" not in entry and entry.get("assignee"):
        row["assignees"] = [entry["assignee"]]
    return row


def _renamed(entry: Entry, names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in entry.items()}


def is_pull_request(row: Entry) -> bool:
    """Whether an entry in the shape of `gh` is a pull request."""
    return (
        row.get("state") in ("MERGED", "merged")
        or row.get("isPullRequest") is True
        or any(row.get(name) for name in ("pull_request", "mergedAt", "merged_at", "headRefName", "baseRefName"))
        or _URL_OF_PULL_REQUEST.search(str(row.get("url"))) is not None
    )
