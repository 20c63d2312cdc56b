"""Every schema of the published document, compiled once, and the messages for values that break one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import orjson
from jsonschema_rs import ValidationError, ValidationErrorKind

from ticketing.contract.addresses import takes_mail
from ticketing.contract.document import Document, escape
from ticketing.contract.forms import SHOWN
from ticketing.contract.problems import Fault

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
                formats={"email": takes_mail},
                # Linear in the length of the text, so that no input can stall it.
                pattern_options=jsonschema_rs.RegexOptions(),
            )
            self._compiled[pointer] = Schema(validator, self._musts)
        return self._compiled[pointer]


def _musts(node: Any) -> Iterator[tuple[str, str]]:
    """Each pattern, and each enum as JSON, with its `x-must`: what it requires, in words."""
    if isinstance(node, Mapping):
        if isinstance(node.get("x-must"), str):
            if isinstance(node.get("pattern"), str):
                yield node["pattern"], node["x-must"]
            if "enum" in node:
                yield orjson.dumps(node["enum"]).decode(), node["x-must"]
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

    def faults(self, value: Any) -> list[Fault]:
        """Each fault in a value with its pointer, within limits; empty if it is valid."""
        if self.is_valid(value):
            return []
        errors = self._validator.iter_errors(value) if _has_few_nodes(value) else _first_error(self._validator, value)
        said = {(fault.pointer, fault.detail): fault for error in errors for fault in _faults(error, self._musts)}
        # What has no length or type for it has no format either.
        otherwise = {fault.pointer for fault in said.values() if fault.code != "wrong_format"}
        kept = (each for each in said.values() if each.code != "wrong_format" or each.pointer not in otherwise)
        return list(islice(kept, MOST_FAULTS))


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


def _faults(error: ValidationError, musts: Mapping[str, str]) -> Iterator[Fault]:
    place = _place(error)
    match error.kind:
        case ValidationErrorKind.Required(name):
            yield Fault("required", "This is required.", pointer=f"{place}/{escape(name)}")
        case ValidationErrorKind.AdditionalProperties(names) | ValidationErrorKind.UnevaluatedProperties(names):
            for name in names[:MOST_FAULTS]:
                detail = "There is no property of this name here."
                yield Fault("unknown_field", detail, pointer=f"{place}/{escape(_clip(name))}")
        case ValidationErrorKind.PropertyNames(inner):
            fault = _fault(inner, musts)
            yield replace(fault, detail=f"The name {fault.detail.removeprefix('This ')}", pointer=place)
        case ValidationErrorKind.AnyOf(branches) | ValidationErrorKind.OneOfNotValid(branches):
            yield from _of_branches(error, branches, musts)
        case _:
            yield replace(_fault(error, musts), pointer=place)


def _place(error: ValidationError) -> str:
    return "#" + "".join("/" + escape(_clip(str(part))) for part in error.instance_path)


def _of_branches(
    error: ValidationError, branches: Sequence[Sequence[ValidationError]], musts: Mapping[str, str]
) -> Iterator[Fault]:
    """What is wrong by the only branch for values of this type; else the types of all branches, or a general word."""
    types = [_other_types(error, branch) for branch in branches]
    meant = [branch for branch, other in zip(branches, types, strict=True) if not other]
    if len(meant) == 1:
        for each in meant[0]:
            yield from _faults(each, musts)
    elif meant:
        detail = f"{show(error.instance)} matches none of the allowed forms."
        yield Fault("not_allowed", detail, pointer=_place(error))
    else:
        fault = _wrong_type(error.instance, sorted({kind for other in types for kind in other}))
        yield replace(fault, pointer=_place(error))


def _other_types(error: ValidationError, branch: Sequence[ValidationError]) -> list[str]:
    """The types that a branch of oneOf or anyOf is for, if it is not for values such as this one."""
    for each in branch:
        match each.kind:
            case ValidationErrorKind.Type(types) if each.instance_path == error.instance_path:
                return list(types)
    return []


def _wrong_type(value: Any, types: Sequence[str]) -> Fault:
    ordered = sorted(types, key="null".__eq__)
    detail = f"{show(value)} is not {' or '.join(_ARTICLES[kind] for kind in ordered)}."
    return Fault("wrong_type", detail, {"types": ordered})


def _fault(error: ValidationError, musts: Mapping[str, str]) -> Fault:
    shown = show(error.instance)
    match error.kind:
        case ValidationErrorKind.Type(types):
            return _wrong_type(error.instance, types)
        case ValidationErrorKind.Enum(options):
            listed = orjson.dumps(options)
            must = musts.get(listed.decode(), f"is not one of {_listed(listed)}")
            return Fault("not_allowed", f"{shown} {must}.", {"values": options})
        case ValidationErrorKind.Constant(expected):
            return Fault("not_allowed", f"{shown} is not {show(expected)}.", {"values": [expected]})
        case ValidationErrorKind.FalseSchema():
            return Fault("not_allowed", "This is not allowed here.")
        case ValidationErrorKind.MinLength() | ValidationErrorKind.Pattern() if not error.instance:
            return Fault("blank", BLANK)
        case ValidationErrorKind.MinLength(limit):
            return Fault("too_short", f"{shown} is shorter than {_count(limit, 'character')}.", {"min": limit})
        case ValidationErrorKind.MaxLength(limit):
            return Fault("too_long", f"{shown} is longer than {_count(limit, 'character')}.", {"max": limit})
        case ValidationErrorKind.MinItems(limit) | ValidationErrorKind.MinProperties(limit) if not error.instance:
            return Fault("too_few", "This must not be empty.", {"min": limit})
        case ValidationErrorKind.MinItems(limit):
            return Fault("too_few", f"This has fewer than {_count(limit, 'item')}.", {"min": limit})
        case ValidationErrorKind.MaxItems(limit):
            return Fault("too_many", f"This has more than {_count(limit, 'item')}.", {"max": limit})
        case ValidationErrorKind.MinProperties(limit):
            return Fault("too_few", f"This has fewer than {_count(limit, 'property', 'properties')}.", {"min": limit})
        case ValidationErrorKind.MaxProperties(limit):
            return Fault("too_many", f"This has more than {_count(limit, 'property', 'properties')}.", {"max": limit})
        case ValidationErrorKind.Minimum(limit):
            return Fault("too_small", f"{shown} is less than the minimum of {show(limit)}.", {"minimum": limit})
        case ValidationErrorKind.Maximum(limit):
            return Fault("too_large", f"{shown} is greater than the maximum of {show(limit)}.", {"maximum": limit})
        case ValidationErrorKind.ExclusiveMinimum(limit):
            return Fault("too_small", f"{shown} is not greater than {show(limit)}.", {"exclusive_minimum": limit})
        case ValidationErrorKind.ExclusiveMaximum(limit):
            return Fault("too_large", f"{shown} is not less than {show(limit)}.", {"exclusive_maximum": limit})
        case ValidationErrorKind.MultipleOf(factor):
            return Fault("not_allowed", f"{shown} is not a multiple of {show(factor)}.", {"multiple_of": factor})
        case ValidationErrorKind.UniqueItems():
            return Fault("not_unique", "This holds an item twice.")
        case ValidationErrorKind.Format(name):
            return Fault("wrong_format", f"{shown} is not a valid {FORMATS.get(name, name)}.", {"format": name})
        case ValidationErrorKind.Pattern(pattern):
            must = musts.get(pattern, "does not have the required form")
            return Fault("blank" if must == MUST_NOT_BE_BLANK else "wrong_format", f"{shown} {must}.")
        case ValidationErrorKind.OneOfMultipleValid():
            detail = f"{shown} matches more than one of the forms, of which only one is allowed."
            return Fault("incompatible", detail)
        case _:
            return Fault("not_allowed", f"{shown} breaks the rule {error.kind.name!r}.")


MUST_NOT_BE_BLANK = "must not be blank"
BLANK = f"This {MUST_NOT_BE_BLANK}."


@lru_cache(1024)
def _listed(options: bytes) -> str:
    return ", ".join(show(option) for option in orjson.loads(options))


def show(value: Any) -> str:
    """A value as JSON, cut short: an answer must not repeat what was sent."""
    if isinstance(value, dict | list):
        return _ARTICLES["array" if isinstance(value, list) else "object"].capitalize()
    if isinstance(value, int) and not isinstance(value, bool):
        return _clip(str(value))  # It may have more digits than orjson writes.
    text = orjson.dumps(value[:SHOWN] if isinstance(value, str) else value, default=str).decode()
    return text if len(text) <= SHOWN and value == orjson.loads(text) else f"{text[:SHOWN]}…"


def _clip(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
