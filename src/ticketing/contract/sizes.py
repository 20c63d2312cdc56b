"""How large a body may need to be: every value that a schema allows must fit under the caps, however it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from ticketing.contract.document import Document, besides_null, resolve

BYTES_A_CHARACTER = 12
"""Bytes of a character in JSON, written as two escapes: many clients write an emoji as `\\ud83d\\ude00`."""
BYTES_BETWEEN = 32
"""Bytes of punctuation, line break and indentation around each value."""
BYTES_OF_A_NUMBER = 25


def most_bytes(document: Document, schema: Any) -> int | None:
    """The bytes of the longest JSON document that a schema allows; None if there is no limit, or no single type."""
    _, node = resolve(document, schema, "")
    if not isinstance(node, Mapping):
        return None
    if other := besides_null(node):
        return most_bytes(document, other)
    if "const" in node or "enum" in node:
        return max(_escaped(word) for word in node.get("enum", [node.get("const")]))
    given = node.get("type", ())
    kinds = [given] if isinstance(given, str) else [kind for kind in given if kind != "null"]
    match kinds:
        case ["boolean"] | ["integer"] | ["number"]:
            return BYTES_OF_A_NUMBER
        case ["string"]:
            longest = node.get("maxLength")
            return None if longest is None else 2 + longest * BYTES_A_CHARACTER
        case ["array"]:
            return _repeated(node.get("maxItems"), most_bytes(document, node.get("items")))
        case ["object"]:
            return _members(document, node)
    return None


def most_values(document: Document, schema: Any) -> int | None:
    """The most values in a JSON document that a schema allows, itself included; None if there is no limit."""
    _, node = resolve(document, schema, "")
    if not isinstance(node, Mapping):
        return None
    if other := besides_null(node):
        return most_values(document, other)
    given = node.get("type", ())
    kinds = {given} if isinstance(given, str) else set(given)
    if not kinds or kinds <= {"boolean", "integer", "number", "string", "null"}:
        return 1 if kinds or "const" in node or "enum" in node else None
    counts: list[int | None] = [2]  # An empty one counts as two.
    if "array" in kinds:
        counts.append(_times(node.get("maxItems"), most_values(document, node.get("items"))))
    if "object" in kinds:
        counts += [most_values(document, member) for member in node.get("properties", {}).values()]
        others = node.get("additionalProperties")
        if others is not False:
            counts.append(_times(node.get("maxProperties"), most_values(document, others)))
    return _sum(*counts)


def _times(times: int | None, each: int | None) -> int | None:
    return None if times is None or each is None else times * each


def _escaped(word: Any) -> int:
    return len(orjson.dumps(word).decode()) * BYTES_A_CHARACTER


def _repeated(times: int | None, each: int | None) -> int | None:
    return None if times is None or each is None else BYTES_BETWEEN + times * (each + BYTES_BETWEEN)


def _members(document: Document, node: Mapping[str, Any]) -> int | None:
    sizes = [
        _sum(_escaped(name), BYTES_BETWEEN, most_bytes(document, member))
        for name, member in node.get("properties", {}).items()
    ]
    others = node.get("additionalProperties")
    if others is not False:
        name = most_bytes(document, node.get("propertyNames", {}))
        sizes.append(_repeated(node.get("maxProperties"), _sum(name, most_bytes(document, others))))
    return _sum(BYTES_BETWEEN, *sizes)


def _sum(*sizes: int | None) -> int | None:
    total = 0
    for size in sizes:
        if size is None:
            return None
        total += size
    return total
