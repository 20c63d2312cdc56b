"""Forms: normalises the values of requests to their stored form, before schemas and rules check them.

The contract names a text's form by `x-form`, or by a `format` that is one; the application defines the forms. Limits
and patterns apply to the normalised text, so blanks around a title do not make it too long.

What is too long is cut to just beyond its limit, and then refused by the schema: a text, list or object that is refused
must not cost more than an allowed one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from ticketing.contract.document import Document, besides_null, escape, resolve
from ticketing.contract.problems import Fault

Form = Callable[[str, int], str]
"""Returns the text in its form; if that is longer than so many characters, any text that is longer. Raises ValueError,
with a sentence, for text that has none.
"""

Forms = Mapping[str, Form]

Flaws = dict[str, Fault]
"""Why values have no form, by their JSON Pointers."""

TIMES_AS_LONG = 4
"""A text up to this many times its limit is normalised: NFC makes one character of at most four."""

SHOWN = 80
"""Characters of a value that an error repeats, so that a text is not cut shorter."""

UNLIMITED = sys.maxsize - 1

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
    if other := besides_null(schema):
        return _shaping(document, other, forms, within)
    given = schema.get("type", ())
    kinds = (given,) if isinstance(given, str) else given
    name = schema.get("x-form", schema.get("format", ""))
    form, most = forms.get(name), _longest(schema)
    if "string" in kinds and (form or most < UNLIMITED):
        return _text(form, most, name)
    if "integer" in kinds:
        return _whole
    if "array" in kinds:
        each = _shaping(document, schema.get("items"), forms, within)
        most = schema.get("maxItems", UNLIMITED)
        return _items(each, most) if each or most < UNLIMITED else None
    if "object" in kinds:
        properties = {
            name: shape
            for name, value in schema.get("properties", {}).items()
            if (shape := _shaping(document, value, forms, within))
        }
        others = _shaping(document, schema.get("additionalProperties"), forms, within)
        names = _shaping(document, schema.get("propertyNames"), forms, within)
        most = schema.get("maxProperties", UNLIMITED)
        is_shaped = properties or others or names or most < UNLIMITED
        return _members(properties, others, names, most) if is_shaped else None
    return None


def _longest(schema: Mapping[str, Any]) -> int:
    """The most characters that the schema allows a text."""
    words = schema.get("enum", [schema["const"]] if "const" in schema else None)
    longest: int = schema.get("maxLength", UNLIMITED) if words is None else max(len(str(word)) for word in words)
    return longest


def _text(form: Form | None, most: int, name: str) -> Shaping:
    cut, longest = max(most, SHOWN) + 1, most * TIMES_AS_LONG if form else most

    def shape(value: Any, place: Place, flaws: Flaws) -> Any:
        if not isinstance(value, str):
            return value
        if len(value) > longest:
            return value[:cut]
        if form is not None:
            try:
                value = form(value, most)
            except ValueError as flaw:
                pointer = _pointer(place)
                flaws[pointer] = Fault("wrong_format", str(flaw), {"format": name}, pointer=pointer)
        return value[:cut]

    return shape


def _pointer(place: Place) -> str:
    return "#" + "".join(f"/{escape(str(key))}" for key in place)


def _whole(value: Any, _place: Place, _flaws: Flaws) -> Any:
    """1.0 and 1e2 are integers to JSON Schema, but not to Python."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _items(each: Shaping | None, most: int) -> Shaping:
    def shape(value: Any, place: Place, flaws: Flaws) -> Any:
        if isinstance(value, list):
            del value[most + 1 :]
            if each is not None:
                value[:] = [each(item, (*place, index), flaws) for index, item in enumerate(value)]
        return value

    return shape


def _members(properties: Mapping[str, Shaping], others: Shaping | None, names: Shaping | None, most: int) -> Shaping:
    def shape(value: Any, place: Place, flaws: Flaws) -> Any:
        if not isinstance(value, dict):
            return value
        if len(value) > most + 1:
            for name in list(islice(value, most + 1, None)):
                del value[name]
        if names is not None:
            _rename(value, names, place, flaws)
        for name in value:
            inner = properties.get(name, others)
            if inner is not None:
                value[name] = inner(value[name], (*place, name), flaws)
        return value

    return shape


def _rename(value: dict[str, Any], names: Shaping, place: Place, flaws: Flaws) -> None:
    renamed = {names(name, place, flaws): member for name, member in value.items()}
    if len(renamed) < len(value):
        pointer = _pointer(place)
        flaws[pointer] = Fault("not_unique", "Two of the names here are the same.", pointer=pointer)
    elif renamed.keys() != value.keys():
        value.clear()
        value |= renamed
