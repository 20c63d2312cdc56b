"""The 3.0-shaped routing skeleton that connexion is given: paths, security and parameters, but no schemas.

connexion supports only OpenAPI 3.0. The skeleton is never published, and nothing is validated by it: for each schema of
the contract it has `x-schema: <JSON Pointer>`, and the validators bound to connexion use the schema there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ticketing.contract.document import Document, Operation, escape, operations, parameters, resolve

ANONYMOUS = "x-anonymous"
"""What an operation says that takes requests without a credential, too; here it is a scheme like the others.

Its value is true, or a word, which is here the scope of that scheme.
"""
DEFAULT_MAX_BODY_BYTES = 1024 * 1024


def skeleton(document: Document) -> dict[str, Any]:
    """The routing skeleton of a 3.1 document."""
    paths: dict[str, Any] = {}
    for operation in operations(document):
        paths.setdefault(operation.path, {})[operation.method] = _operation(document, operation)
    return {
        "openapi": "3.0.3",
        "info": {"title": document["info"]["title"], "version": document["info"]["version"]},
        "paths": paths,
        "components": {"securitySchemes": {ANONYMOUS: {"type": "http", "scheme": ANONYMOUS}, **_schemes(document)}},
    }


def _schemes(document: Document) -> dict[str, Any]:
    """The security schemes, each with its name: connexion tells a handler what it is of, but not how that is called."""
    schemes = document.get("components", {}).get("securitySchemes", {})
    return {name: {**scheme, "x-name": name} for name, scheme in schemes.items()}


def _operation(document: Document, operation: Operation) -> dict[str, Any]:
    bound: dict[str, Any] = {
        "operationId": operation.spec["operationId"],
        "security": [*operation.spec["security"], *_anonymous(operation)],
        "parameters": [_parameter(*found) for found in parameters(document, operation)],
        "responses": {
            status: {
                "description": "",
                "x-headers": _headers(document, response),
                "x-edited": edited(document, response),
                "content": {kind: {} for kind in _media_types(document, response) if status.startswith("2")},
            }
            for status, response in operation.spec["responses"].items()
        },
    }
    if "requestBody" in operation.spec:
        bound["requestBody"] = _body(document, operation)
    return bound


def _anonymous(operation: Operation) -> list[dict[str, list[str]]]:
    said = operation.spec.get(ANONYMOUS)
    return [] if said is None else [{ANONYMOUS: [said] if isinstance(said, str) else []}]


def _parameter(pointer: str, parameter: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: parameter[key] for key in ("name", "in", "required", "style", "explode") if key in parameter}
    # Text to connexion: /tickets/abc is a route with an invalid parameter, not an unknown route.
    return {**kept, "schema": {"type": "string", "x-schema": f"{pointer}/schema"}}


def _body(document: Document, operation: Operation) -> dict[str, Any]:
    pointer, body = resolve(document, operation.spec["requestBody"], f"{operation.pointer}/requestBody")
    cap = operation.spec.get("x-max-body-bytes", DEFAULT_MAX_BODY_BYTES)
    return {
        "required": body.get("required", False),
        "content": {
            media_type: {
                "schema": {"x-schema": f"{pointer}/content/{escape(media_type)}/schema", "x-max-body-bytes": cap}
            }
            for media_type in body["content"]
        },
    }


def _headers(document: Document, response: Any) -> list[str]:
    return [name.lower() for name in resolve(document, response, "")[1].get("headers", {})]


def edited(document: Document, response: Any) -> list[str]:
    """The members of an answer that clients can change, as its schema says (`x-edited`)."""
    content = resolve(document, response, "")[1].get("content", {}).get("application/json", {})
    return list(resolve(document, content.get("schema"), "")[1].get("x-edited", ())) if "schema" in content else []


def _media_types(document: Document, response: Any) -> list[str]:
    return list(resolve(document, response, "")[1].get("content", {}))
