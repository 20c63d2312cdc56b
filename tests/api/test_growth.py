"""What may grow in answers is said to, and no answer is held to a pattern: a client of today reads those of later."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from judge import Judge
from ticketing import contract
from ticketing.contract.document import at
from ticketing.ground import paths

#: What the contract promises never to grow (its section on compatibility).
CLOSED = {"TicketType", "TicketStatus", "TicketPriority", "TicketSeverity", "CommentVisibility"}
Found = tuple[str, dict[str, Any]]


@cache
def documents() -> list[dict[str, Any]]:
    return [contract.load(file) for file in paths.DOCUMENTS.values()]


def told(document: dict[str, Any]) -> Iterator[Found]:
    """Each schema that answers and messages lead to, and headers of them, with its pointer."""
    seen: set[str] = set()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if isinstance(operation, dict):
                yield from _within(document, operation["responses"], f"{method} {path}", seen)
    for name, item in document.get("webhooks", {}).items():
        yield from _within(document, [item["post"]["requestBody"], item["post"].get("parameters", [])], name, seen)


def asked(document: dict[str, Any]) -> Iterator[Found]:
    """Each schema that requests lead to."""
    seen: set[str] = set()
    for path, item in document["paths"].items():
        for method, operation in {"": item, **item}.items():
            if isinstance(operation, dict):
                parts = [operation.get("parameters", []), operation.get("requestBody", {})]
                yield from _within(document, parts, f"{method} {path}", seen)


def _within(document: dict[str, Any], node: Any, pointer: str, seen: set[str]) -> Iterator[Found]:
    if isinstance(node, list):
        for index, inner in enumerate(node):
            yield from _within(document, inner, f"{pointer}/{index}", seen)
    if not isinstance(node, dict):
        return
    if isinstance(reference := node.get("$ref"), str):
        if reference not in seen:
            seen.add(reference)
            yield from _within(document, at(document, reference), reference, seen)
        return
    if "type" in node or "enum" in node:
        yield pointer, node
    for name, inner in node.items():
        if name not in ("example", "examples", "not"):
            yield from _within(document, inner, f"{pointer}/{name}", seen)


def test_no_answer_is_held_to_a_pattern() -> None:
    held = [where for each in documents() for where, schema in told(each) if isinstance(schema.get("pattern"), str)]
    assert held == []


def test_an_enum_of_an_answer_never_grows_or_tells_a_family_of_events() -> None:
    """An event of another type is not of the family, and so another member of the union `Event`."""
    enums = [(where, schema) for each in documents() for where, schema in told(each) if "enum" in schema]
    closed = {where.rpartition("/")[2] for where, schema in enums if schema.get("x-closed") is True}
    others = {where.rpartition("/")[2] for where, schema in enums if schema.get("x-closed") is not True}
    assert closed == CLOSED
    assert [name for name in others if not name.endswith("EventType")] == []


def test_what_is_extensible_is_any_text_to_clients() -> None:
    for document in documents():
        for where, schema in told(document):
            if "x-extensible-enum" in schema:
                assert "string" in schema["type"], where
                assert "enum" not in schema and "pattern" not in schema, where


def test_a_request_says_all_that_it_takes() -> None:
    assert [where for each in documents() for where, schema in asked(each) if "x-extensible-enum" in schema] == []


@pytest.mark.parametrize("value", ["known", "later", None])
def test_the_judge_of_tests_takes_only_what_is_sent_today(value: str | None) -> None:
    schema = {"type": ["string", "null"], "x-extensible-enum": ["known"]}
    judge = Judge({"openapi": "3.1.1", "paths": {}, "components": {"schemas": {"X": schema}}}, "")
    if value == "later":
        with pytest.raises(ValueError, match="later"):
            judge.valid("#/components/schemas/X", value)
    else:
        judge.valid("#/components/schemas/X", value)
