"""If-Match: a change is refused unless it is made to the version that the client has read (RFC 9110, 13.1.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ticketing.contract import etag
from ticketing.ground.errors import InvalidParameter, PreconditionFailed

_ENTITY_TAG = re.compile(r'(W/)?("[!#-~\x80-\xff]*")')
_ENTITY_TAGS = re.compile(rf"[ \t,]*+{_ENTITY_TAG.pattern}(?:[ \t]*+,[ \t,]*+{_ENTITY_TAG.pattern})*+[ \t,]*+")


def match(if_match: str | None, resource: Mapping[str, Any]) -> None:
    """Raise PreconditionFailed unless the header is absent, `*`, or lists the resource's strong ETag.

    Call it with the row locked: what it compares is then still true when the change commits. Raises InvalidParameter
    for what is no list of ETags, and for weak ones, which never match a change.
    """
    if if_match is None or if_match.strip() == "*":
        return
    if not _ENTITY_TAGS.fullmatch(if_match):
        raise InvalidParameter.named(
            "If-Match", 'Send the ETag with its quotation marks, as in "6f1ed002ab559585"; several with commas between.'
        )
    tags = _ENTITY_TAG.findall(if_match)
    if ("", etag(resource)) in tags:
        return
    if any(weak for weak, _ in tags):
        raise InvalidParameter.named(
            "If-Match", "A weak ETag matches no change. Leave out W/, which a proxy that compresses puts before it."
        )
    raise PreconditionFailed("It has changed since you read it. Read it again and repeat your change on that.")
