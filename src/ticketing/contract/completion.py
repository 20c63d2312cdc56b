"""What the engine adds to a handler's answer: members that are made of others, and the version of each resource.

A property with `x-derived` is made by a function of the application of that name, and `x-derived: version` by the
engine, of what the schema lists as `x-edited` (`versions.py`). What the answer that makes a resource alone has besides,
such as a secret, is `x-shown-once`, and what has to be asked for is `x-on-request`; neither is part of its version. So
a resource has the same version wherever it is shown.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from ticketing.contract.document import ContractError, Document, operations, resolve
from ticketing.contract.exchange import Answer
from ticketing.contract.versions import VERSION, versions

Derived = Mapping[str, Callable[[Mapping[str, Any]], Any]]
"""How a member is made of the others of its resource, by the word that its schema has for `x-derived`. None leaves it
out, as of an event that holds less than a resource."""

Complete = Callable[[Any], None]
"""Adds what is missing to a value, in place."""

Handler = Callable[..., Awaitable[Any]]

_APART = frozenset({"x-shown-once", "x-on-request"})


def completed(
    handlers: Mapping[str, Handler], documents: Iterable[Document], derived: Derived
) -> Mapping[str, Handler]:
    """The handlers, whose JSON answers have everything that their schemas say."""
    found = dict(handlers)
    for document in documents:
        for operation in operations(document):
            completions = {
                int(status): complete
                for status, response in operation.spec["responses"].items()
                if status.isdigit() and (complete := completion(document, _body(document, response), derived))
            }
            if completions:
                name = operation.spec["operationId"]
                found[name] = _completing(handlers[name], completions)
    return found


def _body(document: Document, response: Any) -> Any:
    return resolve(document, response, "")[1].get("content", {}).get("application/json", {}).get("schema")


def _completing(handler: Handler, completions: Mapping[int, Complete]) -> Handler:
    @wraps(handler)
    async def operation(**request: Any) -> Any:
        answer = await handler(**request)
        if isinstance(answer, Answer) and (complete := completions.get(answer.status)):
            complete(answer.body)
        return answer

    return operation


def completion(document: Document, schema: Any, derived: Derived, within: tuple[str, ...] = ()) -> Complete | None:
    """What completes a value of this schema, and all that is in it; None if there is nothing to add.

    Of alternatives (`oneOf`, `anyOf`) at most one may have something to be added, as in a resource or null. Of a union
    of several, such as events by their type, the application completes each by its own schema.
    """
    pointer, found = resolve(document, schema, "")
    if not isinstance(found, Mapping) or pointer in within:
        return None
    within = (*within, pointer) if pointer else within
    alternatives = [
        complete
        for choice in (*found.get("oneOf", ()), *found.get("anyOf", ()))
        if (complete := completion(document, choice, derived, within))
    ]
    if len(alternatives) == 1:
        return alternatives[0]
    if each := completion(document, found.get("items"), derived, within):
        return _all(each)
    edited: set[str] = set()
    properties: dict[str, Any] = {}
    for part in (found, *(resolve(document, each, "")[1] for each in found.get("allOf", ()))):
        edited.update(part.get("x-edited", ()))
        properties.update(part.get("properties", {}))
    members = {name: resolve(document, member, "")[1] for name, member in properties.items()}
    words = {name: member.get("x-derived") for name, member in members.items()}
    if unknown := set(words.values()) - derived.keys() - {None, VERSION}:
        raise ContractError(f"Nothing makes the derived member {min(unknown)}.")
    makers = {name: derived[word] for name, word in words.items() if word in derived}
    apart = frozenset(name for name, member in members.items() if edited and not _APART.isdisjoint(member))
    within_it = {
        name: complete
        for name, member in properties.items()
        if (complete := completion(document, member, derived, within))
    }
    return _complete(frozenset(edited), makers, within_it, apart) if edited or makers or within_it else None


def _all(each: Complete) -> Complete:
    def complete(items: Any) -> None:
        for item in items or ():
            each(item)

    return complete


def _complete(
    edited: frozenset[str], makers: Derived, within: Mapping[str, Complete], apart: frozenset[str]
) -> Complete:
    inner = tuple(within.items())
    added = (*makers.items(), *([(VERSION, versions(edited, apart))] if edited else []))

    def complete(resource: Any) -> None:
        if resource is None:
            return
        for name, complete_member in inner:
            complete_member(resource.get(name))
        for name, make in added:
            if (made := make(resource)) is not None:
                resource[name] = made

    return complete
