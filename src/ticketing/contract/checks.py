"""What must hold before the first request; a broken rule stops the start with a sentence that says where."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ticketing.contract.cookies import NAME
from ticketing.contract.document import ContractError, Document, Operation, operations, parameters, resolve, schema_of
from ticketing.contract.parameters import ANSWERED_BY_THE_ENGINE, argument
from ticketing.contract.security import LAPSED, PLAIN, SAFE, Signing
from ticketing.contract.sizes import most_bytes, most_values
from ticketing.contract.skeleton import ANONYMOUS, DEFAULT_MAX_BODY_BYTES
from ticketing.contract.strict_json import MOST_VALUES
from ticketing.contract.versions import VERSION

Handlers = Mapping[str, Callable[..., Any]]


def check(documents: Collection[Document], handlers: Handlers, signing: Signing) -> None:
    """Raise ContractError unless documents, handlers and ways to sign in fit together."""
    known: dict[str, Operation] = {}
    for document in documents:
        if not str(document.get("openapi", "")).startswith("3.1."):
            raise ContractError(f"The contract must be OpenAPI 3.1, not {document.get('openapi')!r}.")
        _check_schemes(document, signing)
        _check_paths(document)
        _check_operations(document, signing, known)
    _check_authenticators(documents, signing)
    if missing := known.keys() - handlers.keys():
        raise ContractError(f"There is no handler for {', '.join(sorted(missing))}.")
    if unknown := handlers.keys() - known.keys():
        raise ContractError(f"There is no operation for the handler {', '.join(sorted(unknown))}.")
    for document in documents:
        for operation in operations(document):
            _check_signature(document, operation, handlers[operation.spec["operationId"]])


def _check_operations(document: Document, signing: Signing, known: dict[str, Operation]) -> None:
    """Check each operation, and add it to those that are known by their operationId."""
    for operation in operations(document):
        operation_id = operation.spec.get("operationId")
        if not isinstance(operation_id, str):
            raise ContractError(f"{operation.label} has no operationId.")
        if operation_id in known:
            raise ContractError(f"{known[operation_id].label} and {operation.label} are both called {operation_id}.")
        known[operation_id] = operation
        _check_security(document, operation, signing)
        _check_path(document, operation)
        _check_cap(document, operation)
        _check_edited(document, operation)


def _schemes(document: Document) -> Mapping[str, Any]:
    found: Mapping[str, Any] = document.get("components", {}).get("securitySchemes", {})
    return found


def _check_schemes(document: Document, signing: Signing) -> None:
    schemes = _schemes(document)
    for name, scheme in schemes.items():
        is_bearer = scheme.get("type") == "http" and str(scheme.get("scheme")).lower() == "bearer"
        is_key = scheme.get("type") == "apiKey" and scheme.get("in") in ("cookie", "query", "header")
        if not (is_bearer or is_key):
            raise ContractError(
                f"The security scheme {name} is neither http bearer nor an apiKey in cookie, query or header; "
                "others are not enforced."
            )
        if is_key and not all(NAME.fullmatch(str(each)) for each in (scheme.get("name"), scheme.get(PLAIN, "x"))):
            raise ContractError(f"The security scheme {name} has a name that no cookie, parameter or header can have.")
    proofs = _proofs(document)
    if missing := schemes.keys() - proofs - signing.authenticators.keys():
        raise ContractError(f"There is no authenticator for the security scheme {', '.join(sorted(missing))}.")
    if missing := proofs - signing.genuine.keys():
        raise ContractError(f"Nothing checks the key in a header of the security scheme {', '.join(sorted(missing))}.")


def _proofs(document: Document) -> set[str]:
    """The schemes of keys in headers, which sign nobody in."""
    return {name for name, scheme in _schemes(document).items() if scheme.get("in") == "header"}


def _check_authenticators(documents: Collection[Document], signing: Signing) -> None:
    schemes = {name for document in documents for name in _schemes(document)}
    if unknown := signing.spend.keys() - schemes:
        raise ContractError(f"There is no security scheme whose credential {', '.join(sorted(unknown))} uses up.")
    if unknown := (signing.authenticators.keys() | signing.genuine.keys()) - schemes:
        raise ContractError(f"There is no security scheme for the authenticator {', '.join(sorted(unknown))}.")


def _check_paths(document: Document) -> None:
    shapes: dict[str, str] = {}
    for path in document["paths"]:
        shape = re.sub(r"\{[^}]*\}", "{}", path)
        if shape in shapes:
            raise ContractError(f"{shapes[shape]} and {path} are the same path.")
        shapes[shape] = path
        if path != "/" and path.endswith("/"):
            raise ContractError(f"The path {path} ends with a slash.")


def _check_security(document: Document, operation: Operation, signing: Signing) -> None:
    schemes = _schemes(document)
    security = operation.spec.get("security")
    if security is None:
        raise ContractError(f"{operation.label} does not state its security. A public operation says `security: []`.")
    for requirement in security:
        if not requirement:
            # connexion would treat a bad token like none.
            raise ContractError(f"{operation.label} makes its security optional with {{}}. Say `x-anonymous: true`.")
        if unknown := requirement.keys() - schemes.keys():
            raise ContractError(f"{operation.label} names the unknown security scheme {min(unknown)}.")
        _check_together(document, operation, requirement)
    named = [name for requirement in security for name in requirement]
    if len(named) > len(set(named)):
        raise ContractError(f"{operation.label} names a security scheme twice.")
    if "query" in {schemes[name].get("in") for name in named} and "requestBody" in operation.spec:
        # A slow body has its credential checked again, and a POST's address ends up in logs.
        raise ContractError(f"{operation.label} has a body, so a key in its address cannot sign in to it.")
    _check_anonymous(operation, signing)


def _check_together(document: Document, operation: Operation, requirement: Collection[str]) -> None:
    """A cookie, and a key in a header, if the request may change something; or one of the others."""
    places = sorted(str(_schemes(document)[name].get("in")) for name in requirement)
    if places == ["cookie"] and operation.method.upper() not in SAFE:
        raise ContractError(f"{operation.label} is signed in to by a cookie, but nothing tells genuine requests.")
    if places == ["header"]:
        raise ContractError(f"{operation.label} asks for {min(requirement)} alone, which signs nobody in.")
    if len(places) > 1 and places != ["cookie", "header"]:
        raise ContractError(f"{operation.label} asks for {' and '.join(sorted(requirement))} at once.")


def _check_anonymous(operation: Operation, signing: Signing) -> None:
    if ANONYMOUS not in operation.spec:
        return
    if operation.spec[ANONYMOUS] not in (True, LAPSED):
        raise ContractError(f"{operation.label} says {ANONYMOUS} and something else than true or {LAPSED}.")
    if not operation.spec["security"]:
        raise ContractError(f"{operation.label} is public, so {ANONYMOUS} says nothing.")
    if signing.anonymous is None:
        raise ContractError(f"{operation.label} takes anonymous requests, but there is no actor for them.")


def has_ranges(documents: Collection[Document]) -> bool:
    """Whether an operation may answer with a part of what is asked for."""
    return any("206" in operation.spec["responses"] for document in documents for operation in operations(document))


def _check_path(document: Document, operation: Operation) -> None:
    templated = set(re.findall(r"\{([^}]*)\}", operation.path))
    described = {parameter["name"] for _, parameter in parameters(document, operation) if parameter["in"] == "path"}
    if templated != described:
        raise ContractError(f"{operation.label} describes the path parameters {sorted(described)}.")


def _check_cap(document: Document, operation: Operation) -> None:
    if "requestBody" not in operation.spec:
        return
    cap = operation.spec.get("x-max-body-bytes", DEFAULT_MAX_BODY_BYTES)
    for kind, media in resolve(document, operation.spec["requestBody"], "")[1]["content"].items():
        if not kind.lower().endswith("json"):
            continue
        needed = most_bytes(document, media["schema"])
        if needed is not None and needed > cap:
            raise ContractError(f"{operation.label} takes {cap} bytes, but its schema lets a body have {needed}.")
        values = most_values(document, media["schema"])
        if values is not None and values > MOST_VALUES:
            raise ContractError(
                f"{operation.label} takes {MOST_VALUES} values, but its schema lets a body have {values}."
            )


def _check_edited(document: Document, operation: Operation) -> None:
    for status, response in operation.spec["responses"].items():
        for media in resolve(document, response, "")[1].get("content", {}).values():
            schema = resolve(document, media.get("schema"), "")[1] or {}
            edited = {name.partition(".")[0] for name in schema.get("x-edited", ())}
            if edited and (missing := {*edited, VERSION} - schema.get("properties", {}).keys()):
                raise ContractError(f"{operation.label}, {status}: x-edited needs {min(missing)}, which is not there.")


def _check_signature(document: Document, operation: Operation, handler: Callable[..., Any]) -> None:
    name = operation.spec["operationId"]
    if not inspect.iscoroutinefunction(handler):
        raise ContractError(f"The handler {name} is not a coroutine function.")
    optional = _arguments(document, operation)
    taken = inspect.signature(handler).parameters
    if odd := [p.name for p in taken.values() if p.kind not in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]:
        raise ContractError(f"The handler {name} must name its parameters; {odd[0]} stands for any.")
    if missing := optional.keys() - taken.keys() - {"actor", "prefix", "exchange"}:
        raise ContractError(f"The handler {name} does not take {', '.join(sorted(missing))}.")
    if unknown := taken.keys() - optional.keys():
        raise ContractError(f"{operation.label} has no parameter for {', '.join(sorted(unknown))} of its handler.")
    for parameter in taken.values():
        if optional[parameter.name] and parameter.default is parameter.empty:
            raise ContractError(f"{parameter.name} is optional in {operation.label}, but not to its handler.")


def _arguments(document: Document, operation: Operation) -> dict[str, bool]:
    """What the engine passes to the handler, and whether it may be absent."""
    found = {"prefix": False, "exchange": False}
    for _, parameter in parameters(document, operation):
        if parameter["in"] == "header" and parameter["name"].lower() in ANSWERED_BY_THE_ENGINE:
            continue
        name = argument(parameter["name"])
        if name in found or name in ("body", "prefix", "exchange"):
            raise ContractError(f"{operation.label} has more than one parameter that is {name} to its handler.")
        found[name] = not parameter.get("required", False) and "default" not in schema_of(document, parameter)
    if "requestBody" in operation.spec:
        found["body"] = not resolve(document, operation.spec["requestBody"], "")[1].get("required", False)
    if operation.spec["security"]:
        found["actor"] = False
    return found
