"""Walking an OpenAPI document: JSON Pointers, references, operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

Document = Mapping[str, Any]


class ContractError(Exception):
    """The contract, or what is bound to it, cannot be served. Raised at start-up, never by a request."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the document, and its place there."""

    path: str
    method: str
    item: Mapping[str, Any]
    spec: Mapping[str, Any]

    @property
    def pointer(self) -> str:
        return f"#/paths/{escape(self.path)}/{self.method}"

    @property
    def label(self) -> str:
        """Its name in start-up errors."""
        return f"{self.method.upper()} {self.path}"


def operations(document: Document) -> Iterator[Operation]:
    """Every operation, concrete paths before templated ones, the order in which OpenAPI matches them."""
    for path in sorted(document["paths"], key=lambda path: [("{" in part, part) for part in path.split("/")]):
        item = document["paths"][path]
        for method in METHODS:
            if method in item:
                yield Operation(path, method, item, item[method])


def parameters(document: Document, operation: Operation) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Pointer and parameter, references resolved; an operation's own ones hide its path's of the same name."""
    seen = set()
    item = operation.pointer.rpartition("/")[0]
    for owner, pointer in ((operation.spec, operation.pointer), (operation.item, item)):
        for index, node in enumerate(owner.get("parameters", ())):
            where, parameter = resolve(document, node, f"{pointer}/parameters/{index}")
            identity = (parameter["name"], parameter["in"])
            if identity not in seen:
                seen.add(identity)
                yield where, parameter


def resolve(document: Document, node: Any, pointer: str) -> tuple[str, Any]:
    """Follow `$ref` to the place of the thing itself."""
    while isinstance(node, Mapping) and "$ref" in node:
        pointer = node["$ref"]
        node = at(document, pointer)
    return pointer, node


def schema_of(document: Document, parameter: Mapping[str, Any]) -> Mapping[str, Any]:
    """A parameter's schema, its reference resolved and merged with the keywords beside it."""
    if not isinstance(parameter.get("schema"), Mapping):
        raise ContractError(f"The parameter {parameter['name']} has no schema; `content` is not supported.")
    node = parameter["schema"]
    return {**resolve(document, node, "")[1], **node}


def besides_null(schema: Mapping[str, Any]) -> Any:
    """What a schema of the form `oneOf: [X, {type: 'null'}]` allows besides null: X; None for other schemas."""
    choices = schema.get("oneOf", schema.get("anyOf", ()))
    others = [choice for choice in choices if choice.get("type") != "null"]
    return others[0] if len(choices) == 2 and len(others) == 1 else None


def at(document: Document, pointer: str) -> Any:
    """The value at a JSON Pointer in fragment form (RFC 6901)."""
    node: Any = document
    for part in pointer.removeprefix("#").split("/")[1:]:
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        node = node[int(key)] if isinstance(node, list) else node[key]
    return node


def escape(key: str) -> str:
    """A key, escaped as part of a JSON Pointer."""
    return key.replace("~", "~0").replace("/", "~1")
