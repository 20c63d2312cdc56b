"""What schemathesis cannot know, and the contract says in words.

Limits on a text's length apply to its stored form (`ground/texts.py`). Any request may be refused before it belongs to
an operation, such as one whose address is too long; no operation lists these answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData

from ticketing.ground import texts

ON_THE_WIRE = (414, 431)
"""Statuses of refusals of the request line and the head."""


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:  # noqa: ARG001 - as it is called
    """Take away the `default` of every operation: a status that it does not list is a failure."""
    for item in raw_schema["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict):
                operation.get("responses", {}).pop("default", None)


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:  # noqa: ARG001 - as it is called
    """Accept refusals on the wire, and a text that is too long as sent, but not as stored."""
    if response.status_code in ON_THE_WIRE:
        return False
    too_long = isinstance(failure, AcceptedNegativeData) and "`maxLength`" in failure.message
    return not (too_long and any(map(_shrinks, _strings(case.body))))


def _shrinks(text: str) -> bool:
    return min(len(texts.text(text)), len(texts.one_line(text))) < len(text)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)
