"""The trace that a request belongs to (W3C Trace Context, section 3.2)."""

from __future__ import annotations

import re

_TRACEPARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")


def trace_of(traceparent: bytes | None) -> str | None:
    """The trace id of a `traceparent` header; None if it is absent or invalid."""
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if match is None or (match[1] == b"00" and match[3]):
        return None
    return match[2].decode()
