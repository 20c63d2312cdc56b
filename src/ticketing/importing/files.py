"""Files of issues: finds the entries in whatever way `gh` wrote them, and recognises what other systems write."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any

GZIP = b"\x1f\x8b"
FIELDS = (
    "number,title,body,state,stateReason,labels,author,assignees,createdAt,updatedAt,closedAt,comments,"
    "milestone,reactionGroups,url"
)
LINE = f"gh issue list --state all --limit 1000000 --json {FIELDS} > issues.json"
"""What makes a file of which nothing is missing."""
WANTED = f"Issues of GitHub are taken, as this prints them: {LINE}"

Values = list[Any]


class Unreadable(Exception):
    """The file as a whole is not one of GitHub's issues; the message says what it is instead."""


def entries(data: bytes) -> Values:
    """The entries of a file, gzipped or not.

    It may be one array (`gh issue list`), an array of pages (`gh api --slurp`), several arrays or objects one after the
    other (`gh api --paginate`, `gh issue view`), a line each (NDJSON), or an answer of GitHub's search.
    Raises Unreadable.
    """
    text = _text(data)
    values = _values(text)
    pages = [page for value in values if isinstance(value, list) for page in value if not _has("number")(page)]
    if found := next((name for name, fits in _ANSWERS.items() for value in (*values, *pages) if fits(value)), None):
        raise Unreadable(f"It is {found}. {WANTED}")
    flat = list(_flat(values))
    objects = [entry for entry in flat if isinstance(entry, dict)]
    if found := next((name for name, fits in _ENTRIES.items() if any(map(fits, objects))), None):
        raise Unreadable(f"It is {found}. {WANTED}")
    if flat and not any(map(_is_like_githubs, objects)):
        fields = sorted({str(key) for entry in objects for key in entry})[:8]
        if not fields:
            raise Unreadable(f"It holds no objects, and so no issues. {WANTED}")
        raise Unreadable(
            f"It holds objects with the fields {', '.join(fields)}, none of which is an issue of GitHub. {WANTED}"
        )
    return flat


def _text(data: bytes) -> str:
    try:
        plain = gzip.decompress(data) if data.startswith(GZIP) else data
        # UTF-16, too, as PowerShell's `>` writes it. Halves of characters are left for the reader to report.
        return plain.decode(json.detect_encoding(plain), "surrogatepass").removeprefix("\ufeff")
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(f"It is gzipped, but damaged: {error}.") from None
    except UnicodeDecodeError as error:
        raise Unreadable(f"It is not JSON, nor any text: {error.reason} at byte {error.start}. {WANTED}") from None


def _values(text: str) -> Values:
    """Every JSON value of the text, in order."""
    decode = json.JSONDecoder().raw_decode
    blank = re.compile(r"[\s\x1e]*")
    values: Values = []
    at = blank.match(text, 0).end()  # type: ignore[union-attr]
    while at < len(text):
        try:
            value, at = decode(text, at)
        except (ValueError, RecursionError) as error:
            scalars = not any(isinstance(value, dict | list) for value in values)
            if scalars and (found := next((name for name, fits in _TEXTS.items() if fits(text)), None)):
                raise Unreadable(f"It is {found}. {WANTED}") from None
            raise Unreadable(f"It is not JSON: {_sentence(error, values)} {WANTED}") from None
        values.append(value)
        at = blank.match(text, at).end()  # type: ignore[union-attr]
    if not values:
        raise Unreadable(f"It is not JSON: it is empty. {WANTED}")
    return values


def _sentence(error: Exception, values: Values) -> str:
    if isinstance(error, RecursionError):
        return "its lists are nested too deeply."
    where = f", after {len(values):,} values that are" if values else ""
    return f"{error}{where}."


def _flat(values: Values) -> Iterator[Any]:
    """Entries out of pages, and pages out of an array of pages."""
    for value in values:
        if isinstance(value, list):
            yield from (each for page in value for each in (page if isinstance(page, list) else [page]))
        elif isinstance(value, dict) and isinstance(value.get("items"), list) and "total_count" in value:
            yield from value["items"]
        else:
            yield value


# What else people have ------------------------------------------------------------------------------------------


def _nodes(entry: Any) -> bool:
    parts = (entry.get(name) for name in ("comments", "labels", "assignees", "author"))
    return any(isinstance(part, dict) and ("nodes" in part or "edges" in part) for part in parts)


def _is_like_githubs(entry: Any) -> bool:
    """Whether it may be an issue or a comment of GitHub; others have numbers as well, such as `INC001`."""
    return "issue_url" in entry or (type(entry.get("number")) is int and ("title" in entry or "state" in entry))


def _is_of_jira(value: Any) -> bool:
    """Whether it is a page of Jira's answer to a search, which may be empty."""
    return _has("issues", "total")(value) and bool(value.keys() & {"expand", "startAt", "maxResults"})


def _has(*keys: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(key in value for key in keys)


def _list_of(key: str, *keys: str) -> Callable[[Any], bool]:
    """An object with a list, the first entry of which has these fields."""

    def fits(value: Any) -> bool:
        listed = value.get(key) if isinstance(value, dict) else None
        return isinstance(listed, list) and bool(listed) and _has(*keys)(listed[0])

    return fits


def _error(value: Any) -> bool:
    return _has("message", "documentation_url")(value) or (_has("errors")(value) and "number" not in value)


def _head(*words: str) -> Callable[[str], bool]:
    """A table whose first line names these columns."""

    def fits(text: str) -> bool:
        first = text.lstrip().partition("\n")[0].lower()
        return all(re.search(rf"(^|[,;\t])\s*\"?{word}\"?\s*($|[,;\t\r])", first) for word in words)

    return fits


def _starts(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.match(pattern, text[:2000].lstrip(), re.IGNORECASE | re.DOTALL) is not None


#: By what a whole JSON value looks like.
_ANSWERS: dict[str, Callable[[Any], bool]] = {
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
#: By what one of the entries looks like.
_ENTRIES: dict[str, Callable[[Any], bool]] = {
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
#: By how a text begins that is no JSON.
_TEXTS: dict[str, Callable[[str], bool]] = {
    "an export of Jira (XML)": _starts(r"(<\?xml.*)?<(!--|rss).*jira"),
    "a page of HTML": _starts(r"<(!doctype )?html"),
    "XML": _starts(r"<(\?xml|\w+)"),
    "an export of Jira (CSV)": _head("issue key"),
    "an export of GitLab (CSV)": _head("issue id", "title"),
    "an export of Zendesk (CSV)": lambda text: _head("ticket id")(text) or _head("requester", "subject")(text),
    "an export of Redmine (CSV)": _head("tracker", "subject"),
    "an export of Bugzilla (CSV)": _head("bug id"),
    "a table (CSV)": lambda text: (
        len(re.findall(r"[,;\t]", text.lstrip().partition("\n")[0])) > 1 and text[0] not in "[{"
    ),
}
