"""What is said of a value that breaks a schema: kindly, briefly, and where."""

from __future__ import annotations

from typing import Any

import pytest

from ticketing.contract.schemas import Schemas


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"type": "string"}, 1, ("#", "1 is not text.")),
        ({"type": ["null", "boolean"]}, [], ("#", "An array is not true or false or null.")),
        ({"enum": ["a", 1, None]}, "b", ("#", '"b" is not one of "a", 1, null.')),
        ({"const": True}, {}, ("#", "An object is not true.")),
        ({"minLength": 2}, "é", ("#", '"é" is shorter than 2 characters.')),
        ({"maxLength": 1}, "ab", ("#", '"ab" is longer than 1 character.')),
        ({"minItems": 1}, [], ("#", "This must not be empty.")),
        ({"minItems": 3}, [1], ("#", "This has fewer than 3 items.")),
        ({"maxItems": 1}, [1, 2], ("#", "This has more than 1 item.")),
        ({"minProperties": 1}, {}, ("#", "This must not be empty.")),
        ({"maxProperties": 0}, {"a": 1}, ("#", "This has more than 0 properties.")),
        ({"minimum": 1}, 0, ("#", "0 is less than the minimum of 1.")),
        ({"maximum": 100}, 500, ("#", "500 is greater than the maximum of 100.")),
        ({"exclusiveMinimum": 0}, 0, ("#", "0 is not greater than 0.")),
        ({"exclusiveMaximum": 0}, 0.5, ("#", "0.5 is not less than 0.")),
        ({"multipleOf": 2}, 3, ("#", "3 is not a multiple of 2.")),
        ({"uniqueItems": True}, [1, 1], ("#", "This holds an item twice.")),
        ({"format": "uuid", "type": "string"}, "x", ("#", '"x" is not a valid UUID.')),
        ({"format": "email", "type": "string"}, "x", ("#", '"x" is not a valid e-mail address.')),
        ({"pattern": "^a"}, "b", ("#", '"b" does not have the required form.')),
        ({"pattern": "^a", "x-must": "must begin with an a"}, "b", ("#", '"b" must begin with an a.')),
        ({"pattern": ".", "x-must": "must not be blank", "minLength": 1}, "", ("#", "This must not be blank.")),
        (
            {"propertyNames": {"pattern": "^a", "x-must": "must begin with an a"}},
            {"b": 1},
            ("#", 'The name "b" must begin with an a.'),
        ),
        ({"propertyNames": {"minLength": 1}}, {"": 1}, ("#", "The name must not be blank.")),
        (
            {"anyOf": [{"type": "null"}, {"const": 1}]},
            2,
            ("#", "2 matches none of the allowed forms."),
        ),
        (
            {"oneOf": [{"type": "null"}, {"const": 1}]},
            2,
            ("#", "2 matches none of the allowed forms."),
        ),
        (
            {"oneOf": [{"minimum": 1}, {"minimum": 2}]},
            3,
            ("#", "3 matches more than one of the forms, of which only one is allowed."),
        ),
        ({"contains": {"const": 1}}, [2], ("#", "An array breaks the rule 'contains'.")),
        ({"required": ["a/b"]}, {}, ("#/a~1b", "This is required.")),
        (
            {"properties": {}, "additionalProperties": False},
            {"a~": 1},
            ("#/a~0", "There is no property of this name here."),
        ),
        ({"unevaluatedProperties": False}, {"a": 1}, ("#/a", "There is no property of this name here.")),
        ({"properties": {"a": False}}, {"a": 1}, ("#/a", "This is not allowed here.")),
        ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, ("#", 'The name "ab" is longer than 1 character.')),
        ({"items": {"items": {"type": "integer"}}}, [[1], [1, "x"]], ("#/1/1", '"x" is not an integer.')),
        ({"type": "integer"}, "x" * 1000, ("#", '"' + "x" * 79 + "… is not an integer.")),
        ({"type": "integer"}, "\x01" * 1000, ("#", '"' + "\\u0001" * 13 + "\\… is not an integer.")),
        ({"type": "integer"}, "x" * 79, ("#", '"' + "x" * 79 + "… is not an integer.")),
        ({"type": "integer"}, "x" * 78, ("#", '"' + "x" * 78 + '" is not an integer.')),
    ],
)
def test_what_is_said(schema: Any, value: Any, expected: tuple[str, str]) -> None:
    assert Schemas({"x": schema})["#/x"].faults(value) == [expected]


def test_a_valid_value_has_no_faults() -> None:
    assert Schemas({"x": {"type": "integer"}})["#/x"].faults(1) == []


def test_references_lead_through_the_document() -> None:
    schemas = Schemas({"a": {"$ref": "#/b~1c/0"}, "b/c": [{"type": "null"}]})
    assert schemas["#/a"].faults(1) == [("#", "1 is not null.")]
    assert schemas["#/a"] is schemas["#/a"]
