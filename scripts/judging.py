"""What schemathesis cannot know: limits on a text's length apply to its stored form (`ground/texts.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData

from ticketing.ground import texts


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:  # noqa: ARG001 - as it is called
    """Accept a text that is too long as sent, but not as stored."""
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
