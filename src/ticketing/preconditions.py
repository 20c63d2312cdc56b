"""If-Match: a change is refused unless it is made to the version that the client has read (RFC 9110, 13.1.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ticketing.contract import etag
from ticketing.errors import PreconditionFailed


def match(if_match: str | None, resource: Mapping[str, Any]) -> None:
    """Raise PreconditionFailed unless the header is absent, `*`, or lists the resource's strong ETag.

    Call it with the row locked: what it compares is then still true when the change commits.
    """
    if if_match is None or if_match.strip() == "*":
        return
    if etag(resource) not in [tag.strip() for tag in if_match.split(",")]:
        raise PreconditionFailed("It has changed since you read it. Read it again and repeat your change on that.")
