"""Forms: normalises the values of requests to their stored form, before schemas and rules check them.

The contract names a text's form by `x-form`, or by a `format` that is one; the application defines the forms. Limits
and patterns apply to the normalised text, so blanks around a title do not make it too long. A text far beyond its limit
is not normalised but refused: it must not cost more than an allowed one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ticketing.contract.document import Document, escape, resolve

Form = Callable[[str], str]
"""Returns the text in its form; raises ValueError, with a sentence, for text that has none."""

Forms = Mapping[str, Form]

Flaws = dict[str, str]
"""Why values have no form, by their JSON Pointers."""

TIMES_AS_LONG = 4
"""A text up to this many times its limit is normalised: NFC makes one character of at most four."""

Place = tuple[str | int, ...]
"""The path of a value in another: names and indices, outermost first."""

Shaping = Callable[[Any, Place, Flaws], Any]
"""Returns a value with everything in it normalised; what has no form stays, and its place is noted."""


def shaping(document: Document, schema: Any, forms: Forms) -> Shaping | None:
    """A function that normalises the values of a schema; None if nothing in them has a form."""
    return _shaping(document, schema, forms, ())


def _shaping(document: Document, node: Any, forms: Forms, within: tuple[str, ...]) -> Shaping | None:
    if not isinstance(node, Mapping):
        return None
    pointer, schema = resolve(document, node, "")
    if pointer in within:
        return None  # A recursive schema is shaped once.
    within = (*within, pointer) if pointer else within
    schema = {**schema, **node}
    given = schema.get("type", ())
    kinds = (given,) if isinstance(given, str) else given
    form = forms.get(schema.get("x-form", schema.get("format", "")))
    if form is not None and "string" in kinds:
        return _text(form, schema.get("maxLength", math.inf))
    if "integer" in kinds:
        return _whole
    if "array" in kinds:
        each = _shaping(document, schema.get("items"), forms, within)
        return _items(each, schema.get("maxItems", math.inf)) if each else None
    if "object" in kinds:
        properties = {
            name: shape
            for name, value in schema.get("properties", {}).items()
            if (shape := _shaping(document, value, forms, within))
        }
        others = _shaping(document, schema.get("additionalProperties"), forms, within)
        names = _name(forms, schema.get("propertyNames", {}))
        most = schema.get("maxProperties", math.inf)
        return _members(properties, others, names, most) if properties or others or names else None
    return None


def _text(form: Form, longest: float) -> Shaping:
    def shape(value: Any, place: Place, flaws: Flaws) -> Any:
        if isinstance(value, str) and len(value) <= longest * TIMES_AS_LONG:
            try:
                return form(value)
            except ValueError as flaw:
                flaws[_pointer(place)] = str(flaw)
        return value

    return shape


def _name(forms: Forms, schema: Mapping[str, Any]) -> Form | None:
    form, longest = forms.get(schema.get("x-form", "")), schema.get("maxLength", math.inf)
    return form and (lambda name: form(name) if len(name) <= longest * TIMES_AS_LONG else name)


def _pointer(place: Place) -> str:
    return "#" + "".join(f"/{escape(str(key))}" for key in place)


def _whole(value: Any, _place: Place, _flaws: Flaws) -> Any:
    """1.0 and 1e2 are integers to JSON Schema, but not to Python."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _items(each: Shaping, most: float) -> Shaping:
    def shape(value: Any, place: Place, flaws: Flaws) -> Any:
        if isinstance(value, list) and len(value) <= most:
            value[:] = [each(item, (*place, index), flaws) for index, item in enumerate(value)]
        return value

    return shape


def _members(properties: Mapping[str, Shaping], others: Shaping | None, names: Form | None, most: float) -> Shaping:
    def shape(value: Any, place: Place, flaws: Flaws) -> Any:
        if not isinstance(value, dict) or len(value) > most:
            return value
        if names is not None:
            _rename(value, names, place, flaws)
        for name in value:
            inner = properties.get(name, others)
            if inner is not None:
                value[name] = inner(value[name], (*place, name), flaws)
        return value

    return shape


def _rename(value: dict[str, Any], names: Form, place: Place, flaws: Flaws) -> None:
    renamed = {names(name): member for name, member in value.items()}
    if len(renamed) < len(value):
        flaws[_pointer(place)] = "Two of the names here are the same."
    elif renamed.keys() != value.keys():
        value.clear()
        value |= renamed
