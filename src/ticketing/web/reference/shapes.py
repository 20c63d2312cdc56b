"""Schemas in words: what type a field has, what it may hold, and which fields are inside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from ticketing.web.reference.document import Document

LIMITS = {
    "Length": ("character", "characters"),
    "Items": ("item", "items"),
    "Properties": ("field", "fields"),
}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object, or a parameter."""

    name: str
    type: Markup
    required: bool
    description: str
    limits: list[str]
    values: list[str]
    grows: bool
    """Whether there may be other values one day."""
    inside: Shape | None
    """What it holds, unless a schema with a name says so."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What an object may hold."""

    fields: list[Field]
    variants: list[tuple[str, Markup, Shape | None]]
    """Alternatives and conditions: title, type, and their own fields."""
    open: bool
    """Whether fields that are not described may come."""


class Shapes:
    """The schemas of a document."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def shape(self, schema: Any, depth: int = 0) -> Shape:
        """The fields of an object; of a list, those of its items."""
        whole = self._document.resolved(schema)
        if "items" in whole and "properties" not in whole:
            return self.shape(whole["items"], depth)
        required = whole.get("required", [])
        fields = [
            self.field(name, one, name in required, depth)
            for name, one in whole.get("properties", {}).items()
            if one is not False
        ]
        further = whole.get("additionalProperties")
        if isinstance(further, dict) and further:
            fields.append(self.field("any name", further, False, depth))
        for part in whole.get("allOf", []):
            fields += self.shape(part, depth).fields
        return Shape(fields, list(self._variants(whole, depth)), whole.get("additionalProperties") is not False)

    def field(self, name: str, schema: Any, required: bool, depth: int = 0) -> Field:
        """A field or parameter by its schema."""
        whole = self._document.resolved(schema) if isinstance(schema, dict) else {}
        items = self._document.resolved(whole.get("items", {}))
        values = whole.get("enum") or whole.get("x-extensible-enum") or items.get("enum")
        values = values or items.get("x-extensible-enum") or ([whole["const"]] if "const" in whole else [])
        inner = schema.get("items", schema) if isinstance(schema, dict) else {}
        nameless = "$ref" not in inner and (
            {"properties", "oneOf", "anyOf", "allOf"} & inner.keys()
            or isinstance(inner.get("additionalProperties"), dict)
        )
        only_names = all("$ref" in each or each.get("type") == "null" for each in inner.get("oneOf", [{}]))
        return Field(
            name=name,
            type=self.type(schema),
            required=required,
            description=whole.get("description", ""),
            limits=list(self._limits(whole)) + [f"each item {limit}" for limit in self._limits(items)],
            values=[str(value) for value in values],
            grows="x-extensible-enum" in whole or "x-extensible-enum" in items,
            inside=self.shape(schema, depth + 1) if nameless and not only_names and depth < 4 else None,
        )

    def parameter(self, parameter: Mapping[str, Any]) -> Field:
        """A parameter, whose own description counts more than that of its schema."""
        described = {name: parameter[name] for name in ("description",) if name in parameter}
        return self.field(parameter["name"], {**parameter["schema"], **described}, parameter.get("required", False))

    def type(self, schema: Any) -> Markup:
        """The type in words; a schema with a name is a link to it."""
        if not isinstance(schema, dict) or not schema:
            return Markup("anything")
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            if self._has_fields(self._document.resolved(schema)):
                return Markup('<a href="#schema-{0}" class="schema">{0}</a>').format(name)
            return self.type(self._document.resolved(schema))
        for several in ("oneOf", "anyOf"):
            if several in schema:
                return Markup(" or ").join(dict.fromkeys(self.type(each) for each in schema[several]))
        if "allOf" in schema:
            return next((self.type(each) for each in schema["allOf"] if "$ref" in each), Markup("object"))
        types = schema.get("type", "object" if "properties" in schema else "anything")
        words = [self._word(each, schema) for each in ([types] if isinstance(types, str) else types)]
        return Markup(" or ").join(words)

    def _word(self, type: str, schema: Mapping[str, Any]) -> Markup:
        if type == "array":
            return Markup("list of {}").format(self.type(schema.get("items", {})))
        if type == "string" and schema.get("format"):
            return escape(schema["format"])
        return escape(type)

    def _has_fields(self, schema: Mapping[str, Any]) -> bool:
        return bool({"properties", "oneOf", "anyOf", "allOf"} & schema.keys())

    def _variants(self, schema: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Markup, Shape | None]]:
        for several in ("oneOf", "anyOf"):
            for each in schema.get(several, []):
                whole = self._document.resolved(each)
                yield whole.get("title", ""), self.type(each), None if "$ref" in each else self.shape(each, depth + 1)
        for condition in ("then", "else"):
            whole = schema.get(condition, {})
            if isinstance(whole, dict) and whole.get("title"):
                yield whole["title"], Markup(), self.shape(whole, depth + 1)

    def _limits(self, schema: Mapping[str, Any]) -> Iterator[str]:
        # A sentence that says how long it may be says it better.
        told = any(letter.isdigit() for letter in schema.get("x-must", ""))
        for ending, (one, many) in LIMITS.items():
            least, most = schema.get(f"min{ending}", 0), schema.get(f"max{ending}")
            if not (told and ending == "Length"):
                yield from _range(least or None, most, one, many)
        yield from _range(schema.get("minimum"), schema.get("maximum"))
        if schema.get("uniqueItems"):
            yield "each once"
        if "default" in schema:
            yield f"by default {schema['default']}"
        if "x-must" in schema:
            yield schema["x-must"]


def _range(least: int | None, most: int | None, one: str = "", many: str = "") -> Iterator[str]:
    unit = f" {one if (most or least) == 1 else many}".rstrip()
    if least is not None and most is not None:
        yield f"exactly {most}{unit}" if least == most else f"{least} to {most}{unit}"
    elif most is not None:
        yield f"at most {most}{unit}"
    elif least is not None:
        yield f"at least {least}{unit}"
