"""Recognises the exports of other systems, and answers that hold no issues."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any


def recognised(others: Mapping[str, Callable[[Any], bool]], value: Any) -> str | None:
    """What a value is, if it is one of the others."""
    return next((name for name, fits in others.items() if fits(value)), None)


def is_like_githubs(entry: Any) -> bool:
    """Whether it may be a GitHub issue or comment; other systems have numbers as well, such as `INC001`."""
    return "issue_url" in entry or (type(entry.get("number")) is int and ("title" in entry or "state" in entry))


def _nodes(entry: Any) -> bool:
    parts = (entry.get(name) for name in ("comments", "labels", "assignees", "author"))
    return any(isinstance(part, dict) and ("nodes" in part or "edges" in part) for part in parts)


def _is_of_jira(value: Any) -> bool:
    """Whether it is a page of Jira's answer to a search, which may be empty."""
    return _has("issues", "total")(value) and bool(value.keys() & {"expand", "startAt", "maxResults"})


def _has(*keys: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(key in value for key in keys)


def _list_of(key: str, *keys: str) -> Callable[[Any], bool]:
    """A test for an object with a list whose first entry has these fields."""

    def fits(value: Any) -> bool:
        listed = value.get(key) if isinstance(value, dict) else None
        return isinstance(listed, list) and bool(listed) and _has(*keys)(listed[0])

    return fits


def _error(value: Any) -> bool:
    return _has("message", "documentation_url")(value) or (_has("errors")(value) and "number" not in value)


def _head(*words: str) -> Callable[[str], bool]:
    """A test for a table whose first line names these columns."""

    def fits(text: str) -> bool:
        first = text.partition("\n")[0].lower()
        return all(re.search(rf"(^|[,;\t])\s*\"?{word}\"?\s*($|[,;\t\r])", first) for word in words)

    return fits


def _starts(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.match(pattern, text[:2000], re.IGNORECASE | re.DOTALL) is not None


#: Recognised by the whole JSON value.
ANSWERS: dict[str, Callable[[Any], bool]] = {
    "an answer of GraphQL": lambda value: isinstance(value, dict) and isinstance(value.get("data"), dict),
    "an error message of GitHub instead of issues": _error,
    "a part of an answer of GraphQL": _has("nodes", "pageInfo"),
    "an export of Jira": lambda value: _is_of_jira(value) or _list_of("issues", "key", "fields")(value),
    "an export of Redmine": _list_of("issues", "id", "subject"),
    "an export of YouTrack": _list_of("issues", "idReadable"),
    "an export of Zendesk": _list_of("tickets", "id", "subject"),
    "an export of Bugzilla": _has("bugs"),
    "an export of Trello": _has("cards", "lists"),
    "an export of Linear": _list_of("issues", "identifier"),
    "an export of ticketing itself, page by page": _list_of("items", "number", "external_reference"),
}
#: Recognised by one of the entries.
ENTRIES: dict[str, Callable[[Any], bool]] = {
    "an export of GitLab": lambda entry: "iid" in entry and "number" not in entry,
    "an export of Jira": _has("key", "fields"),
    "an export of Freshdesk": lambda entry: _has("subject", "requester_id")(entry) and type(entry.get("status")) is int,
    "an export of Zendesk": lambda entry: "subject" in entry and "number" not in entry and "requester_id" in entry,
    "an export of Gitea or Forgejo": lambda entry: "original_author" in entry,
    "an export of Linear": _has("identifier", "team"),
    "an export of YouTrack": _has("idReadable"),
    "an answer of GraphQL": _nodes,
    "an export of ticketing itself": _has("number", "external_reference"),
}
#: Recognised by the beginning of a text that is not JSON.
TEXTS: dict[str, Callable[[str], bool]] = {
    "an export of Jira (XML)": _starts(r"(<\?xml.*)?<(!--|rss).*jira"),
    "a page of HTML": _starts(r"<(!doctype )?html"),
    "XML": _starts(r"<(\?xml|\w+)"),
    "an export of Jira (CSV)": _head("issue key"),
    "an export of GitLab (CSV)": _head("issue id", "title"),
    "an export of Zendesk (CSV)": lambda text: _head("ticket id")(text) or _head("requester", "subject")(text),
    "an export of Redmine (CSV)": _head("tracker", "subject"),
    "an export of Bugzilla (CSV)": _head("bug id"),
    "a table (CSV)": lambda text: len(re.findall(r"[,;\t]", text.partition("\n")[0])) > 1,
}
