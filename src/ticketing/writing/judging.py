"""What the contract says of input that comes another way than by the API: from a command line, or a file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from ticketing import contract
from ticketing.ground import paths, texts


def judged(schema: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """A body, brought into form and judged by a schema of the contract. Raises ValidationFailed."""
    value: dict[str, Any] = _judge(schema)(body)
    return value


@cache
def _judge(schema: str) -> contract.Judge:
    document = contract.load(paths.SPEC / "dist" / "openapi.json")
    return contract.Judge(document, f"#/components/schemas/{schema}", texts.FORMS)
