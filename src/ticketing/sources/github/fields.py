"""Fields of GitHub's issues: those that are used, and those that a ticket has no place for."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ticketing.sources.files import FIELDS
from ticketing.sources.github.values import storable

OF_ISSUES = frozenset(FIELDS.split(","))
#: Without these, an entry is not an issue.
NEEDED = ("number", "title", "state", "createdAt")
#: Fields that a ticket can do without: the command asks for them, but a file may lack them.
EXTRA = ("milestone", "reactionGroups", "url")
#: Fields that only closed issues have.
OF_CLOSED = ("closedAt", "stateReason")
#: The fields that are used of each part of an issue.
TAKEN = {
    "": {*OF_ISSUES, "type"},
    "author": {"login", "is_bot", "type"},
    "assignees": {"login", "is_bot", "type"},
    "labels": {"name"},
    "milestone": {"title"},
    "comments": {"id", "author", "body", "createdAt", "isMinimized"},
    "comments.author": {"login", "is_bot", "type"},
    "type": {"name"},
}


def count(value: Any, fields: Counter[str], part: str = "") -> None:
    """Count the fields of a part of an issue that have a value but are not used."""
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, dict):
            continue
        for name, content in each.items():
            path = storable(f"{part}.{name}" if part else name)
            if name not in TAKEN[part]:
                if _says_something(content):
                    fields[path] += 1
            elif path in TAKEN:
                count(content, fields, path)


def _says_something(content: Any) -> bool:
    """Whether there is anything but zeros and blanks; without recursion, because lists may be deeply nested."""
    parts = [content]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            if 0 not in (part.get("total_count"), part.get("totalCount")):
                parts += [part["users"]] if part.keys() == {"content", "users"} else part.values()
        elif isinstance(part, list):
            parts += part
        elif part:
            return True
    return False
