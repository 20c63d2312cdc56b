"""Cookies as a request sends them (RFC 6265, section 4.2): those that the contract names, and no others."""

from __future__ import annotations

import re
from collections.abc import Container

from ticketing.contract.problems import MalformedRequest

MOST_COOKIES = 180
"""Cookies in one request. Chrome keeps no more for a whole domain."""

NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\x21\x23-\x2B\x2D-\x3A\x3C-\x5B\x5D-\x7E]*")


def cookies(header: bytes, names: Container[str | None]) -> dict[str, list[str | None]]:
    """The values of the cookies with these names, each as often as it is sent; None for one that breaks RFC 6265.

    Other applications on the same host set cookies too, some of them malformed: theirs are ignored.
    Raises MalformedRequest for more cookies than `MOST_COOKIES`.
    """
    pairs = header.split(b";", MOST_COOKIES)
    if len(pairs) > MOST_COOKIES:
        raise MalformedRequest(f"A request may have at most {MOST_COOKIES} cookies.")
    found: dict[str, list[str | None]] = {}
    for pair in pairs:
        raw_name, is_pair, value = pair.strip(b" \t").partition(b"=")
        name = raw_name.decode("latin-1")
        if name in names:
            good = is_pair and _VALUE.fullmatch(value)
            found.setdefault(name, []).append(value.decode("ascii") if good else None)
    return found
