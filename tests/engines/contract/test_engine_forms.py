"""What is too long, or too many, is cut before it is worked on, and refused by the schema."""

from __future__ import annotations

from typing import Any

import pytest

from ticketing.contract.forms import TIMES_AS_LONG, Flaws, shaping
from ticketing.contract.schemas import Schemas

LABEL = {"type": "string", "x-form": "upper", "maxLength": 3}


class Upper:
    """A form that counts what it is asked for."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def __call__(self, text: str, most: int) -> str:
        self.given.append(text)
        return text.strip().upper()


def judged(schema: dict[str, Any], value: Any) -> tuple[Any, list[str], list[str]]:
    """The value as it is validated, what is said of it, and which of its texts were brought into form."""
    upper, document = Upper(), {"schema": schema}
    shape = shaping(document, schema, {"upper": upper})
    assert shape is not None
    flaws: Flaws = {}
    shaped = shape(value, (), flaws)
    return (
        shaped,
        [fault.detail for fault in (*flaws.values(), *Schemas(document)["#/schema"].faults(shaped))],
        upper.given,
    )


@pytest.mark.parametrize(
    ("schema", "value", "said", "worked_on"),
    [
        (LABEL, f"  a{' ' * 9}", [], 1),
        ({"oneOf": [LABEL, {"type": "null"}]}, f"  a{' ' * 9}", [], 1),
        ({"anyOf": [{"type": "null"}, LABEL]}, "a" * 1_000_000, [f'"{"a" * 79}… is longer than 3 characters.'], 0),
        (LABEL, "abcd", ['"ABCD" is longer than 3 characters.'], 1),
        (LABEL, "a" * 1_000_000, [f'"{"a" * 79}… is longer than 3 characters.'], 0),
        ({"type": "string", "maxLength": 3}, "a" * 1_000_000, [f'"{"a" * 79}… is longer than 3 characters.'], 0),
        ({"type": "string", "enum": ["a", "b"]}, "a" * 1_000_000, [f'"{"a" * 79}… is not one of "a", "b".'], 0),
        ({"type": "array", "items": LABEL, "maxItems": 2}, ["a"] * 900, ["This has more than 2 items."], 3),
        ({"type": "array", "items": {}, "maxItems": 2}, ["a"] * 900, ["This has more than 2 items."], 0),
        (
            {"type": "object", "additionalProperties": LABEL, "propertyNames": LABEL, "maxProperties": 2},
            {f"{n}": "a" for n in range(900)},
            ["This has more than 2 properties."],
            6,
        ),
    ],
)
def test_no_more_is_worked_on_than_is_allowed(
    schema: dict[str, Any], value: Any, said: list[str], worked_on: int
) -> None:
    shaped, found, given = judged(schema, value)
    assert (found, len(given)) == (said, worked_on)
    assert len(shaped) <= 81


@pytest.mark.parametrize("length", [12, 13])
def test_a_text_may_be_so_many_times_as_long_before_it_is_brought_into_form(length: int) -> None:
    _, said, given = judged(LABEL, "abc".ljust(length))
    assert (not said) == bool(given) == (length <= 3 * TIMES_AS_LONG)
