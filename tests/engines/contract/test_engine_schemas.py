"""What is said of a value that breaks a schema: kindly, briefly, and where."""

from __future__ import annotations

from typing import Any

import pytest

from ticketing.contract.schemas import Schemas

REFERENCE = {"type": "object", "required": ["id"]}


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
            ("#", "2 is not 1."),
        ),
        (
            {"oneOf": [{"const": 3}, {"const": 1}]},
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
    assert [(fault.pointer, fault.detail) for fault in Schemas({"x": schema})["#/x"].faults(value)] == [expected]


@pytest.mark.parametrize(
    ("schema", "value", "code", "expected"),
    [
        ({"type": ["null", "integer"]}, "x", "wrong_type", {"types": ["integer", "null"]}),
        ({"oneOf": [{"type": "object"}, {"type": "null"}]}, 1, "wrong_type", {"types": ["object", "null"]}),
        ({"oneOf": [REFERENCE, {"type": "null"}]}, {}, "required", {}),
        ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {}, "not_allowed", {}),
        ({"oneOf": [{"minimum": 1}, {"minimum": 2}]}, 3, "incompatible", {}),
        ({"enum": ["a", "b"]}, "c", "not_allowed", {"values": ["a", "b"]}),
        ({"const": "a"}, "c", "not_allowed", {"values": ["a"]}),
        ({"multipleOf": 2}, 3, "not_allowed", {"multiple_of": 2}),
        ({"properties": {"a": False}}, {"a": 1}, "not_allowed", {}),
        ({"minLength": 2}, "é", "too_short", {"min": 2}),
        ({"minLength": 2}, "", "blank", {}),
        ({"pattern": ".", "x-must": "must not be blank"}, "\n", "blank", {}),
        ({"pattern": "^a"}, "b", "wrong_format", {}),
        ({"format": "uuid"}, "b", "wrong_format", {"format": "uuid"}),
        ({"maxLength": 1}, "ab", "too_long", {"max": 1}),
        ({"minItems": 2}, [], "too_few", {"min": 2}),
        ({"minProperties": 2}, {"a": 1}, "too_few", {"min": 2}),
        ({"maxItems": 0}, [1], "too_many", {"max": 0}),
        ({"maxProperties": 0}, {"a": 1}, "too_many", {"max": 0}),
        ({"minimum": 1}, 0, "too_small", {"minimum": 1}),
        ({"exclusiveMinimum": 1}, 1, "too_small", {"exclusive_minimum": 1}),
        ({"maximum": 1.5}, 2, "too_large", {"maximum": 1.5}),
        ({"exclusiveMaximum": 1}, 1, "too_large", {"exclusive_maximum": 1}),
        ({"uniqueItems": True}, [1, 1], "not_unique", {}),
        ({"required": ["a"]}, {}, "required", {}),
        ({"properties": {}, "additionalProperties": False}, {"a": 1}, "unknown_field", {}),
        ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, "too_long", {"max": 1}),
    ],
)
def test_a_fault_has_a_code_for_programs(schema: Any, value: Any, code: str, expected: dict[str, Any]) -> None:
    (fault,) = Schemas({"x": schema})["#/x"].faults(value)
    assert (fault.code, fault.expected) == (code, expected)


def test_an_enum_may_say_in_words_what_it_requires() -> None:
    (fault,) = Schemas({"x": {"enum": ["none"], "x-must": "must be none"}})["#/x"].faults("high")
    assert (fault.detail, fault.expected) == ('"high" must be none.', {"values": ["none"]})


def test_a_valid_value_has_no_faults() -> None:
    assert Schemas({"x": {"type": "integer"}})["#/x"].faults(1) == []


def test_references_lead_through_the_document() -> None:
    schemas = Schemas({"a": {"$ref": "#/b~1c/0"}, "b/c": [{"type": "null"}]})
    assert [(fault.pointer, fault.detail) for fault in schemas["#/a"].faults(1)] == [("#", "1 is not null.")]
    assert schemas["#/a"] is schemas["#/a"]
