"""JSON, parsed once, and refused where parsers disagree on its meaning."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import orjson

from ticketing.contract.document import escape

DEEPEST = 100
"""Levels of nesting: what we cannot write back (orjson stops at 254) must not be read."""

MOST_VALUES = 1000
"""Most values in one body, including those in lists and objects; an empty list or object counts as two.

A megabyte can hold half a million values, and each costs a hundred times as much as its one character.
"""

_TOO_MANY = re.compile(
    # That many characters that begin a further value, outside texts. Possessive, so it never backtracks.
    rb'(?:[^"\[{,]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"\[{,]*+)*+[\[{,]){%d}' % MOST_VALUES,
    re.DOTALL,
)

LONGEST_STEP = 80
"""Characters of a name that an error repeats; an answer must not echo what was sent."""


class Unreadable(ValueError):
    """The bytes are not JSON."""


class Excessive(ValueError):
    """The bytes may be JSON, but with too many values."""


class Unkept(ValueError):
    """The bytes are JSON that parsers read differently; `pointer` says where, if that is known (RFC 6901)."""

    def __init__(self, detail: str, pointer: str | None = None, code: str = "wrong_format") -> None:
        super().__init__(detail)
        self.pointer = pointer
        self.code = code


def loads(encoded: bytes) -> Any:
    """The value that the bytes mean. Raises Unreadable, Excessive, Unkept.

    orjson refuses what RFC 8259 does not allow: NaN, lone surrogates, bytes that are not UTF-8. This also refuses
    duplicate names in an object, NUL in text, integers beyond 64 bits (which orjson returns as rounded floats) and deep
    nesting. A body that raises no suspicion is parsed only once. Values are counted before any is made.
    """
    if sum(map(encoded.count, (b",", b"[", b"{"))) >= MOST_VALUES and _TOO_MANY.match(encoded):
        raise Excessive(f"The body may hold at most {MOST_VALUES} values.")
    try:
        value = orjson.loads(encoded)
    except orjson.JSONDecodeError as error:
        _check_utf_8(encoded)
        raise Unreadable(f"At line {error.lineno}, column {error.colno}: {error.msg}.") from None
    colons, is_suspect = _survey(value)
    # As many colons as in the bytes: no member was dropped. (An escaped colon counts on one side only.)
    if is_suspect or encoded.count(b":") != colons or b"\\u003" in encoded:
        _read_again(encoded)
    return value


def _check_utf_8(encoded: bytes) -> None:
    """Raise Unreadable naming the byte that is not UTF-8, as in a Latin-1 body; orjson only says that there is one."""
    try:
        encoded.decode()
    except UnicodeDecodeError as odd:
        line = encoded[encoded.rfind(b"\n", 0, odd.start) + 1 : odd.start].decode()
        place = f"At line {encoded[: odd.start].count(10) + 1}, column {len(line) + 1}"
        raise Unreadable(f"{place}: the byte {encoded[odd.start]:02X} is not UTF-8.") from None


def _survey(value: Any) -> tuple[int, bool]:
    """The number of colons in the value as JSON, except those in names, and whether a float looks like a rounded
    integer. Raises Unkept for NUL and for deep nesting.
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
                    raise Unkept("This text holds the character NUL.", _place(value, node))
            elif kind is dict:
                colons += len(node)
                below += node.values()
                for name in node:
                    if "\0" in name:
                        raise Unkept("A name here holds the character NUL.", _place(value, node))
            elif kind is list:
                below += node
            elif kind is float and not -(2.0**63) < node < 2.0**63:
                is_suspect = True
        if not below:
            return colons, is_suspect
        level = below
    raise Unkept(f"It is nested deeper than {DEEPEST} levels.")


def _place(value: Any, wanted: Any) -> str | None:
    """The JSON Pointer of a part of a value, found by identity; long names are cut."""
    found: list[tuple[Any, int, str | int]] = [(value, -1, "")]
    for place, (node, _, _) in enumerate(found):
        if node is wanted:
            steps: list[str] = []
            while place:
                _, place, step = found[place]  # noqa: PLW2901
                steps.append(f"/{escape(str(step)[:LONGEST_STEP])}")
            return "#" + "".join(reversed(steps))
        if isinstance(node, dict):
            found += [(inner, place, name) for name, inner in node.items()]
        elif isinstance(node, list):
            found += [(inner, place, index) for index, inner in enumerate(node)]
    return None


def _read_again(encoded: bytes) -> None:
    oversized: list[_Oversized] = []

    def whole(digits: str) -> _Oversized | None:
        if len(digits) <= 20 and -(2**63) <= int(digits) < 2**64:
            return None
        oversized.append(_Oversized(digits))
        return oversized[-1]

    value = json.loads(encoded, object_pairs_hook=_distinct, parse_int=whole)
    if oversized:
        detail = f"This integer does not fit into 64 bits: {oversized[0].digits[:20]}…."
        code = "too_small" if oversized[0].digits.startswith("-") else "too_large"
        raise Unkept(detail, _place(value, oversized[0]), code)


@dataclass(frozen=True, slots=True)
class _Oversized:
    """An integer beyond 64 bits."""

    digits: str


def _distinct(members: list[tuple[str, Any]]) -> dict[str, Any]:
    distinct = dict(members)
    if len(distinct) < len(members):
        seen: set[str] = set()
        twice = next(name for name, _ in members if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise Unkept(f"An object holds the name {twice[:LONGEST_STEP]!r} twice.")
    return distinct
