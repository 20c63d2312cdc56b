"""Versions in events: `data` holds a resource, and has what that has where it stands alone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from ticketing import contract
from ticketing.contract import Complete
from ticketing.ground import links, paths


def completed(type: str, data: Any) -> Any:
    """The `data` of an event of this type, with what the contract derives of it, such as its version."""
    if not isinstance(data, dict) or (completion := _completions().get(type)) is None:
        return data
    event = {"data": {**data}}
    completion(event)
    return event["data"]


@cache
def _completions() -> Mapping[str, Complete]:
    """How events are completed, by their types: as the contract has it of their messages."""
    document = contract.load(paths.SPEC / "dist" / "openapi.json")
    found: dict[str, Complete] = {}
    for type_, message in document["webhooks"].items():
        schema = message["post"]["requestBody"]["content"]["application/json"]["schema"]
        if completion := contract.completion(document, schema, links.DERIVED):
            found[type_] = completion
    operations = contract.load(paths.SPEC / "dist" / "ops.json")
    queue = contract.completion(operations, {"properties": {"data": {"$ref": "#/components/schemas/Queue"}}}, {})
    return found | dict.fromkeys(("queue.paused", "queue.resumed"), queue) if queue else found
