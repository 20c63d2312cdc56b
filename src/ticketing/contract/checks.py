"""What must hold before a single request is taken; each broken rule stops the start with a sentence that says where."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from ticketing.contract.document import ContractError, Document, Operation, operations, parameters, resolve, schema_of
from ticketing.contract.parameters import ANSWERED_BY_THE_ENGINE, argument
from ticketing.contract.sizes import most_bytes, most_values
from ticketing.contract.skeleton import DEFAULT_MAX_BODY_BYTES
from ticketing.contract.strict_json import MOST_VALUES

Handlers = Mapping[str, Callable[..., Any]]


def check(document: Document, handlers: Handlers) -> None:
    """Raise ContractError unless document and handlers fit together."""
    if not str(document.get("openapi", "")).startswith("3.1."):
        raise ContractError(f"The contract must be OpenAPI 3.1, not {document.get('openapi')!r}.")
    _check_schemes(document)
    _check_paths(document)
    known: dict[str, Operation] = {}
    for operation in operations(document):
        operation_id = operation.spec.get("operationId")
        if not isinstance(operation_id, str):
            raise ContractError(f"{operation.label} has no operationId.")
        if operation_id in known:
            raise ContractError(f"{known[operation_id].label} and {operation.label} are both called {operation_id}.")
        known[operation_id] = operation
        _check_security(document, operation)
        _check_path(document, operation)
        _check_cap(document, operation)
    if missing := known.keys() - handlers.keys():
        raise ContractError(f"There is no handler for {', '.join(sorted(missing))}.")
    if unknown := handlers.keys() - known.keys():
        raise ContractError(f"There is no operation for the handler {', '.join(sorted(unknown))}.")
    for operation_id, operation in known.items():
        _check_signature(document, operation, handlers[operation_id])


def _check_schemes(document: Document) -> None:
    for name, scheme in document.get("components", {}).get("securitySchemes", {}).items():
        if scheme.get("type") != "http" or str(scheme.get("scheme")).lower() != "bearer":
            raise ContractError(f"The security scheme {name} is no http bearer scheme; others are not enforced.")


def _check_paths(document: Document) -> None:
    shapes: dict[str, str] = {}
    for path in document["paths"]:
        shape = re.sub(r"\{[^}]*\}", "{}", path)
        if shape in shapes:
            raise ContractError(f"{shapes[shape]} and {path} are the same path.")
        shapes[shape] = path
        if path != "/" and path.endswith("/"):
            raise ContractError(f"The path {path} ends with a slash.")


def _check_security(document: Document, operation: Operation) -> None:
    schemes = document.get("components", {}).get("securitySchemes", {})
    security = operation.spec.get("security")
    if security is None:
        raise ContractError(f"{operation.label} does not state its security. A public operation says `security: []`.")
    for requirement in security:
        if not requirement:
            # To connexion a bad token would be as good as none.
            raise ContractError(f"{operation.label} makes its security optional with {{}}.")
        if unknown := requirement.keys() - schemes.keys():
            raise ContractError(f"{operation.label} names the unknown security scheme {min(unknown)}.")


def _check_path(document: Document, operation: Operation) -> None:
    templated = set(re.findall(r"\{([^}]*)\}", operation.path))
    described = {parameter["name"] for _, parameter in parameters(document, operation) if parameter["in"] == "path"}
    if templated != described:
        raise ContractError(f"{operation.label} describes the path parameters {sorted(described)}.")


def _check_cap(document: Document, operation: Operation) -> None:
    if "requestBody" not in operation.spec:
        return
    cap = operation.spec.get("x-max-body-bytes", DEFAULT_MAX_BODY_BYTES)
    for media in resolve(document, operation.spec["requestBody"], "")[1]["content"].values():
        needed = most_bytes(document, media["schema"])
        if needed is not None and needed > cap:
            raise ContractError(f"{operation.label} takes {cap} bytes, but its schema lets a body have {needed}.")
        values = most_values(document, media["schema"])
        if values is not None and values > MOST_VALUES:
            raise ContractError(
                f"{operation.label} takes {MOST_VALUES} values, but its schema lets a body have {values}."
            )


def _check_signature(document: Document, operation: Operation, handler: Callable[..., Any]) -> None:
    name = operation.spec["operationId"]
    if not inspect.iscoroutinefunction(handler):
        raise ContractError(f"The handler {name} is not a coroutine function.")
    optional = _arguments(document, operation)
    taken = inspect.signature(handler).parameters
    if odd := [p.name for p in taken.values() if p.kind not in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]:
        raise ContractError(f"The handler {name} must name its parameters; {odd[0]} stands for any.")
    if missing := optional.keys() - taken.keys() - {"actor"}:
        raise ContractError(f"The handler {name} does not take {', '.join(sorted(missing))}.")
    if unknown := taken.keys() - optional.keys():
        raise ContractError(f"{operation.label} has no parameter for {', '.join(sorted(unknown))} of its handler.")
    for parameter in taken.values():
        if optional[parameter.name] and parameter.default is parameter.empty:
            raise ContractError(f"{parameter.name} is optional in {operation.label}, but not to its handler.")


def _arguments(document: Document, operation: Operation) -> dict[str, bool]:
    """What the engine passes to the handler, and whether it may be absent."""
    found: dict[str, bool] = {}
    for _, parameter in parameters(document, operation):
        if parameter["in"] == "header" and parameter["name"].lower() in ANSWERED_BY_THE_ENGINE:
            continue
        name = argument(parameter["name"])
        if name in found or name in ("actor", "body"):
            raise ContractError(f"{operation.label} has more than one parameter that is {name} to its handler.")
        found[name] = not parameter.get("required", False) and "default" not in schema_of(document, parameter)
    if "requestBody" in operation.spec:
        found["body"] = not resolve(document, operation.spec["requestBody"], "")[1].get("required", False)
    if operation.spec["security"]:
        found["actor"] = False
    return found
