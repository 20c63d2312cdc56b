"""Answers that handlers share: created resources, pages, and empty answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from ticketing.contract import Answer
from ticketing.ground import links, paths
from ticketing.ground.errors import InvalidParameter
from ticketing.log.feed import Feed
from ticketing.writing.paging import Page

LONGEST_FILTERS = 3000
"""Most characters of a list's filters in an address: with more, the link to the next page would not fit into the 4 KiB
that proxies allow for the head of an answer (nginx: proxy_buffer_size)."""


def sent(**parameters: Any) -> dict[str, Any]:
    """The query parameters that the request has, or that have a default."""
    return {name: value for name, value in parameters.items() if value is not None}


def posted(resource: Mapping[str, Any], status: int, location: str | None, *, replayed: bool) -> Answer:
    """The answer to a POST: the resource, its location, and whether this is the answer to an earlier request."""
    headers = {"Location": paths.API + location} if location else {}
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return Answer(resource, status, headers)


def listed(page: Page, path: str, *, below: str = paths.API, **query: Any) -> Answer:
    """A page, with a link to the next one (RFC 8288) that repeats the filters of this one. Raises InvalidParameter."""
    return Answer(page, headers=_next(below + path, page["next"], query))


def followed(feed: Feed, path: str, **query: Any) -> Answer:
    """A page of the feed. It always has a next page, but links to it only if that may already hold something."""
    return Answer(feed, headers=_next(paths.API + path, feed["next"] if feed["more"] else None, query))


def _next(path: str, cursor: str | None, query: Mapping[str, Any]) -> dict[str, str]:
    given = {name: _written(value) for name, value in query.items()}
    filters = urlencode(given, safe=links.PLAIN)
    if len(filters) > LONGEST_FILTERS:
        raise InvalidParameter(
            f"All filters together may have {LONGEST_FILTERS} characters in an address; these have {len(filters)}."
        )
    return {"Link": f'<{path}?{filters}&cursor={cursor}>; rel="next"'} if cursor is not None else {}


def _written(value: Any) -> str:
    """The value of a parameter as it stands in an address."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def gone() -> Answer:
    """204, for a deletion or revocation."""
    return Answer(None, 204)
