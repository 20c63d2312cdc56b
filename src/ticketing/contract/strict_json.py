"""JSON read once, and refused where readers disagree on what it means."""

from __future__ import annotations

import json
from typing import Any

import orjson

DEEPEST = 100
"""Levels of nesting; what cannot be written back (orjson stops at 254) must not be read."""


class Unreadable(ValueError):
    """The bytes are not a JSON document that every reader would read alike."""


def loads(encoded: bytes) -> Any:
    """The one value that the bytes mean. Raises Unreadable.

    orjson refuses what RFC 8259 does not know: NaN, lone surrogates, bytes that are not UTF-8. Beyond that, names that
    stand twice in an object, NUL in text, integers beyond 64 bits (which come back as rounded floats) and deep nesting
    are refused. A body that gives no cause for suspicion is not read a second time.
    """
    try:
        value = orjson.loads(encoded)
    except orjson.JSONDecodeError as error:
        _check_utf_8(encoded)
        raise Unreadable(f"At line {error.lineno}, column {error.colno}: {error.msg}.") from None
    colons, is_suspect = _survey(value)
    # As many colons as in the text: no member was dropped. (An escaped colon counts on one side only.)
    if is_suspect or encoded.count(b":") != colons or b"\\u003" in encoded:
        _read_again(encoded)
    return value


def _check_utf_8(encoded: bytes) -> None:
    """Say which byte is not UTF-8, as in a body written in Latin-1; orjson only says that there is one."""
    try:
        encoded.decode()
    except UnicodeDecodeError as odd:
        line = encoded[encoded.rfind(b"\n", 0, odd.start) + 1 : odd.start].decode()
        place = f"At line {encoded[: odd.start].count(10) + 1}, column {len(line) + 1}"
        raise Unreadable(f"{place}: the byte {encoded[odd.start]:02X} is not UTF-8.") from None


def _survey(value: Any) -> tuple[int, bool]:
    """How many colons the value needs in JSON, leaving out those in names, and whether a float looks like a rounded
    integer. Raises Unreadable for NUL and for deep nesting.
    """
    colons, is_suspect = 0, False
    level = [value]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for node in level:
            kind = type(node)
            if kind is str:
                colons += node.count(":")
                if "\0" in node:
                    raise Unreadable("Text holds the character NUL.")
            elif kind is dict:
                colons += len(node)
                below += node.values()
                for name in node:
                    if "\0" in name:
                        raise Unreadable("A name holds the character NUL.")
            elif kind is list:
                below += node
            elif kind is float and not -(2.0**63) < node < 2.0**63:
                is_suspect = True
        if not below:
            return colons, is_suspect
        level = below
    raise Unreadable(f"It is nested deeper than {DEEPEST} levels.")


def _read_again(encoded: bytes) -> None:
    json.loads(encoded, object_pairs_hook=_distinct, parse_int=_within_64_bits)


def _distinct(members: list[tuple[str, Any]]) -> None:
    seen = set()
    for name, _ in members:
        if name in seen:
            raise Unreadable(f"An object holds the name {name[:80]!r} twice.")
        seen.add(name)


def _within_64_bits(digits: str) -> None:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**64:
        raise Unreadable(f"An integer does not fit into 64 bits: {digits[:20]}….")
