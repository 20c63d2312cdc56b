"""JSON read once, and refused where readers disagree on what it means."""

from __future__ import annotations

import re
from typing import Any

import orjson

DEEPEST = 100
"""Levels of nesting; what cannot be written back (orjson stops at 254) must not be read."""

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_LONG_INTEGER = re.compile(rb"(?<![\d.eE+-])-?\d{19,}(?![\d.eE])")


class Unreadable(ValueError):
    """The bytes are not a JSON document that every reader would read alike."""


def loads(encoded: bytes) -> Any:
    """The one value that the bytes mean, by orjson, which refuses what RFC 8259 does not know: NaN, lone surrogates,
    bytes that are not UTF-8. Beyond that, names that stand twice in an object, NUL in text, integers beyond 64 bits
    (which would come back as rounded floats) and deep nesting raise Unreadable.
    """
    try:
        value = orjson.loads(encoded)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"{error.msg[:1].upper()}{error.msg[1:]}, at line {error.lineno}, column {error.colno}.") from None
    members, has_huge = _survey(value)
    # A colon for every member, and perhaps some in text. Counting them is cheap, and settles it for most bodies.
    if encoded.count(b":") != members and _without_text(encoded).count(b":") != members:
        raise Unreadable("An object holds the same name twice.")
    if has_huge and _LONG_INTEGER.search(_without_text(encoded)):
        raise Unreadable("An integer is too large: it does not fit into 64 bits.")
    if b"\\u0000" in encoded and _holds_nul(value):
        raise Unreadable("Text holds the character NUL.")
    return value


def _survey(value: Any) -> tuple[int, bool]:
    """How many members all objects have together, and whether a float could be a rounded integer."""
    members, has_huge = 0, False
    level = [value]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for node in level:
            kind = type(node)
            if kind is dict:
                members += len(node)
                below += node.values()
            elif kind is list:
                below += node
            elif kind is float and not -(2.0**63) < node < 2.0**63:
                has_huge = True
        if not below:
            return members, has_huge
        level = below
    raise Unreadable(f"The nesting is deeper than {DEEPEST} levels.")


def _without_text(encoded: bytes) -> bytes:
    return _STRING.sub(b"", encoded)


def _holds_nul(value: Any) -> bool:
    level = [value]
    while level:
        below: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                below += node.keys()
                below += node.values()
            elif isinstance(node, list):
                below += node
            elif isinstance(node, str) and "\0" in node:
                return True
        level = below
    return False
