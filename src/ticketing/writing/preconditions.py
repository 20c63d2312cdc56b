"""If-Match: a change is refused if somebody has changed what the client has read (RFC 9110, 13.1.1)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from ticketing.contract import etag, same_edit
from ticketing.ground.errors import InvalidParameter, PreconditionFailed

_ENTITY_TAG = re.compile(r'(W/)?("[!#-~\x80-\xff]*")')
_ENTITY_TAGS = re.compile(rf"[ \t,]*+{_ENTITY_TAG.pattern}(?:[ \t]*+,[ \t,]*+{_ENTITY_TAG.pattern})*+[ \t,]*+")


def match(if_match: str | None, resource: Mapping[str, Any], edited: Collection[str]) -> bool:
    """Whether the client says what it has read; if so, no member that is edited may have changed since.

    The header is absent, `*`, or lists strong ETags, of which the first part has to fit (`contract.etag`): a comment on
    a ticket moves its `updated_at`, and is no reason to refuse a new title. Call it with the row locked: what it
    compares is then still true when the change commits. Raises PreconditionFailed, and InvalidParameter for what is no
    list of ETags, and for weak ones, which never match a change.
    """
    if if_match is None or if_match.strip() == "*":
        return False
    if not _ENTITY_TAGS.fullmatch(if_match):
        raise InvalidParameter.named(
            "If-Match",
            "wrong_format",
            "Send the ETag as you got it, with its quotation marks; several with commas between.",
        )
    tags = _ENTITY_TAG.findall(if_match)
    current = etag(resource, edited)
    if any(not weak and same_edit(tag, current) for weak, tag in tags):
        return True
    if any(weak for weak, _ in tags):
        raise InvalidParameter.named(
            "If-Match",
            "wrong_format",
            "A weak ETag matches no change. Leave out W/, which a proxy that compresses puts before it.",
        )
    raise PreconditionFailed("It has changed since you read it. Read it again and repeat your change on that.")
