"""POST, which is done once: sent again with its `Idempotency-Key`, it is answered as it was the first time.

A used key is looked up before any refusal leaves, so it answers whatever has changed since: what the rules say now is
asked of new requests only. A request that changes something has claimed its key by then, and asks nothing more.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any

from ticketing.access.actors import Actor
from ticketing.api.answers import posted
from ticketing.contract import Answer, Problem
from ticketing.db import pool, sql
from ticketing.writing import idempotency
from ticketing.writing.idempotency import Claim

Handler = Callable[..., Awaitable[Mapping[str, Any]]]
Restore = Callable[[sql.Connection, Actor, Claim, dict[str, Any]], Awaitable[Mapping[str, Any]]]


async def _as_stored(_: sql.Connection, __: Actor, ___: Claim, stored: dict[str, Any]) -> dict[str, Any]:
    return stored


def once(
    status: int, location: str | None = None, *, restored: Restore = _as_stored
) -> Callable[[Handler], Callable[..., Awaitable[Answer]]]:
    """Make an operation of a handler that takes a `claim` and gives the resource.

    The answer has this status and, if something was made, its location: a path with the names of parameters, or of
    members of the resource, in braces. `restored` gives the resource of a used key out of the `data` of its event, for
    what events do not hold.
    """

    def decorate(handler: Handler) -> Callable[..., Awaitable[Answer]]:
        taken = inspect.signature(handler).parameters

        @wraps(handler)
        async def operation(*, actor: Actor, idempotency_key: str | None = None, **request: Any) -> Answer:
            payload = _payload(taken, request)
            claim = idempotency.claim(idempotency_key, handler.__name__, *payload, limits=actor.limits)
            refusal: Problem | None = None
            resource: Mapping[str, Any] = {}
            before: Mapping[str, Any] | None = None
            try:
                resource = await handler(actor=actor, claim=claim, **request)
            except pool.Unavailable:
                raise
            except Problem as problem:
                refusal = problem
            if claim.key is not None and (refusal is not None or claim.unused):
                async with pool.connection() as conn:
                    if (stored := await idempotency.stored(conn, actor, claim)) is not None:
                        before = await restored(conn, actor, claim, stored)
            if before is None and refusal is not None:
                raise refusal
            told = resource if before is None else before
            place = location.format_map({**request, **told}) if location else None
            return posted(told, status, place, replayed=before is not None)

        operation.__signature__ = _signature(handler)  # type: ignore[attr-defined]
        return operation

    return decorate


def _payload(taken: Mapping[str, inspect.Parameter], request: Mapping[str, Any]) -> list[Any]:
    """All that makes it this request: what is required in its order, then what else it has, by name.

    An optional parameter that an operation gets later leaves the keys of requests without it as they are.
    """
    required, given = [], {}
    for name, parameter in taken.items():
        if parameter.default is inspect.Parameter.empty:
            required += [request[name]] if name in request else []
        elif request.get(name, parameter.default) != parameter.default:
            given[name] = request[name]
    return [*required, given] if given else required


def _signature(handler: Handler) -> inspect.Signature:
    """What the engine passes: what the handler takes, but for the claim, which is made of the key."""
    signature = inspect.signature(handler)
    key = inspect.Parameter("idempotency_key", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=str | None)
    taken = [each for name, each in signature.parameters.items() if name != "claim"]
    return signature.replace(parameters=[*taken, key], return_annotation=Answer)
