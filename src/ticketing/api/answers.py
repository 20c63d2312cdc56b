"""The kinds of answer that handlers give beyond a plain one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from ticketing.contract import Answer
from ticketing.idempotency import Claim
from ticketing.paging import Page

PREFIX = "/api/v1"


def accepted(resource: Mapping[str, Any], status: int, claim: Claim) -> Answer:
    """200 or 202, for a POST that makes nothing with an address; it says when it is an earlier request's."""
    return Answer(resource, status, {"Idempotent-Replayed": "true"} if claim.replayed else {})


def created(resource: Mapping[str, Any], location: str, claim: Claim) -> Answer:
    """201 with the place of the new resource; it says when it is the answer of an earlier request."""
    headers = {"Location": PREFIX + location}
    if claim.replayed:
        headers["Idempotent-Replayed"] = "true"
    return Answer(resource, 201, headers)


def listed(page: Page, path: str, **query: Any) -> Answer:
    """A page, with a link to the next one (RFC 8288) that repeats the filters of this one."""
    if page["next"] is None:
        return Answer(page)
    given = {name: ",".join(value) if isinstance(value, list) else value for name, value in query.items()}
    given["cursor"] = page["next"]
    return Answer(page, headers={"Link": f'<{PREFIX}{path}?{urlencode(given, quote_via=quote)}>; rel="next"'})


def gone() -> Answer:
    """204, for what has been deleted or revoked."""
    return Answer(None, 204)
