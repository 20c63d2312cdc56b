"""Every schema of the published document, compiled once, and the messages for values that break one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import orjson
from jsonschema_rs import ValidationError, ValidationErrorKind

from ticketing.contract.document import Document, escape
from ticketing.contract.forms import SHOWN

MOST_FAULTS = 100
"""Most faults reported of one value: a megabyte of nonsense needs no answer of ten megabytes."""

MOST_NODES = 1000
"""If a value has more parts than this, only one fault is reported: finding each takes 40 µs, in all seconds."""

FORMATS = {"email": "e-mail address", "uuid": "UUID", "date-time": "timestamp", "uri": "URL"}
"""Formats of JSON Schema, in the words of people."""

_URN = "urn:contract"
_ARTICLES = {
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "array": "an array",
    "object": "an object",
}


class Schemas:
    """The document's schemas by JSON Pointer, as JSON Schema 2020-12 with formats."""

    def __init__(self, document: Document) -> None:
        dialect = "https://json-schema.org/draft/2020-12/schema"
        self._registry = jsonschema_rs.Registry([(_URN, {"$schema": dialect, **document})])
        self._musts = dict(_musts(document))
        self._compiled: dict[str, Schema] = {}

    def __getitem__(self, pointer: str) -> Schema:
        """The schema at a pointer. Raises ValueError or ReferencingError if there is none."""
        if pointer not in self._compiled:
            validator = jsonschema_rs.Draft202012Validator(
                {"$ref": _URN + quote(pointer, safe="#/~:@!$&()*+,;=-._")},
                registry=self._registry,
                validate_formats=True,
                # Linear in the length of the text, so that no input can stall it.
                pattern_options=jsonschema_rs.RegexOptions(),
            )
            self._compiled[pointer] = Schema(validator, self._musts)
        return self._compiled[pointer]


def _musts(node: Any) -> Iterator[tuple[str, str]]:
    """Each pattern with its `x-must`: what it requires, in words."""
    if isinstance(node, Mapping):
        if isinstance(node.get("pattern"), str) and isinstance(node.get("x-must"), str):
            yield node["pattern"], node["x-must"]
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from _musts(inner)


class Schema:
    """One schema, compiled."""

    def __init__(self, validator: jsonschema_rs.Draft202012Validator, musts: Mapping[str, str]) -> None:
        self.is_valid = validator.is_valid
        self._validator = validator
        self._musts = musts

    def faults(self, value: Any) -> list[tuple[str, str]]:
        """Pointer and sentence of each fault in a value, within limits; empty if it is valid."""
        if self.is_valid(value):
            return []
        errors = self._validator.iter_errors(value) if _has_few_nodes(value) else _first_error(self._validator, value)
        said = dict.fromkeys(found for error in errors for found in _said(error, self._musts))
        return list(islice(said, MOST_FAULTS))


def _has_few_nodes(value: Any) -> bool:
    nodes = [value]
    for node in nodes:
        if isinstance(node, dict):
            nodes += node.values()
        elif isinstance(node, list):
            nodes += node
        if len(nodes) > MOST_NODES:
            return False
    return True


def _first_error(validator: jsonschema_rs.Draft202012Validator, value: Any) -> Iterator[ValidationError]:
    try:
        validator.validate(value)
    except ValidationError as error:
        yield error


def _said(error: ValidationError, musts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    place = "#" + "".join("/" + escape(_clip(str(part))) for part in error.instance_path)
    match error.kind:
        case ValidationErrorKind.Required(name):
            yield f"{place}/{escape(name)}", "This is required."
        case ValidationErrorKind.AdditionalProperties(names) | ValidationErrorKind.UnevaluatedProperties(names):
            for name in names[:MOST_FAULTS]:
                yield f"{place}/{escape(_clip(name))}", "There is no property of this name here."
        case ValidationErrorKind.PropertyNames(inner):
            yield place, f"The name {_sentence(inner, musts).removeprefix('This ')}"
        case ValidationErrorKind.FalseSchema():
            yield place, "This is not allowed here."
        case _:
            yield place, _sentence(error, musts)


def _sentence(error: ValidationError, musts: Mapping[str, str]) -> str:
    shown = show(error.instance)
    match error.kind:
        case ValidationErrorKind.Type(types):
            return f"{shown} is not {' or '.join(_ARTICLES[kind] for kind in sorted(types, key='null'.__eq__))}."
        case ValidationErrorKind.Enum(options):
            return f"{shown} is not one of {_listed(orjson.dumps(options))}."
        case ValidationErrorKind.Constant(expected):
            return f"{shown} is not {show(expected)}."
        case ValidationErrorKind.MinLength() | ValidationErrorKind.Pattern() if not error.instance:
            return "This must not be blank."
        case ValidationErrorKind.MinLength(limit):
            return f"{shown} is shorter than {_count(limit, 'character')}."
        case ValidationErrorKind.MaxLength(limit):
            return f"{shown} is longer than {_count(limit, 'character')}."
        case ValidationErrorKind.MinItems() | ValidationErrorKind.MinProperties() if not error.instance:
            return "This must not be empty."
        case ValidationErrorKind.MinItems(limit):
            return f"This has fewer than {_count(limit, 'item')}."
        case ValidationErrorKind.MaxItems(limit):
            return f"This has more than {_count(limit, 'item')}."
        case ValidationErrorKind.MinProperties(limit):
            return f"This has fewer than {_count(limit, 'property', 'properties')}."
        case ValidationErrorKind.MaxProperties(limit):
            return f"This has more than {_count(limit, 'property', 'properties')}."
        case ValidationErrorKind.Minimum(limit):
            return f"{shown} is less than the minimum of {show(limit)}."
        case ValidationErrorKind.Maximum(limit):
            return f"{shown} is greater than the maximum of {show(limit)}."
        case ValidationErrorKind.ExclusiveMinimum(limit):
            return f"{shown} is not greater than {show(limit)}."
        case ValidationErrorKind.ExclusiveMaximum(limit):
            return f"{shown} is not less than {show(limit)}."
        case ValidationErrorKind.MultipleOf(factor):
            return f"{shown} is not a multiple of {show(factor)}."
        case ValidationErrorKind.UniqueItems():
            return "This holds an item twice."
        case ValidationErrorKind.Format(name):
            return f"{shown} is not a valid {FORMATS.get(name, name)}."
        case ValidationErrorKind.Pattern(pattern):
            must = musts.get(pattern, "does not have the required form")
            return f"{shown} {must}."
        case ValidationErrorKind.AnyOf() | ValidationErrorKind.OneOfNotValid():
            return f"{shown} matches none of the allowed forms."
        case ValidationErrorKind.OneOfMultipleValid():
            return f"{shown} matches more than one of the forms, of which only one is allowed."
        case _:
            return f"{shown} breaks the rule {error.kind.name!r}."


@lru_cache(1024)
def _listed(options: bytes) -> str:
    return ", ".join(show(option) for option in orjson.loads(options))


def show(value: Any) -> str:
    """A value as JSON, cut short: an answer must not repeat what was sent."""
    if isinstance(value, dict | list):
        return _ARTICLES["array" if isinstance(value, list) else "object"].capitalize()
    text = orjson.dumps(value[:SHOWN] if isinstance(value, str) else value, default=str).decode()
    return text if len(text) <= SHOWN and value == orjson.loads(text) else f"{text[:SHOWN]}…"


def _clip(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
