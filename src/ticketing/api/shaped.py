"""Lists that clients shape by filters and sorts: one that takes the database too long is theirs to narrow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import wraps
from typing import Any

from ticketing.contract import Answer, document
from ticketing.contract.parameters import argument
from ticketing.db import pool
from ticketing.ground.errors import QueryTooExpensive
from ticketing.query.advice import narrower

Handler = Callable[..., Awaitable[Answer]]
SHOWING = frozenset({"limit", "cursor", "render", "include"})
"""What says how much of a list is shown and how, and not what is in it."""


def shaped(handlers: Mapping[str, Handler], contracts: Collection[document.Document]) -> dict[str, Handler]:
    """The handlers, of which each GET that declares 422 gives that for a request with filters that times out.

    Without filters, and of everything else, a time-out is the fault of nobody who asks: 503, to be tried again.
    """
    given = {
        operation.spec["operationId"]: _filters(contract, operation)
        for contract in contracts
        for operation in document.operations(contract)
        if operation.method == "get" and "422" in operation.spec["responses"]
    }
    return {name: _bounded(handler, given[name]) if name in given else handler for name, handler in handlers.items()}


def _filters(contract: document.Document, operation: document.Operation) -> dict[str, Any]:
    """What shapes a list, and its value in a request that does not say it."""
    return {
        parameter["name"]: document.schema_of(contract, parameter).get("default")
        for _, parameter in document.parameters(contract, operation)
        if parameter["in"] == "query" and parameter["name"] not in SHOWING
    }


def _bounded(handler: Handler, filters: Mapping[str, Any]) -> Handler:
    @wraps(handler)
    async def operation(**request: Any) -> Answer:
        try:
            return await handler(**request)
        except pool.TooSlow as slow:
            given = {name: request.get(argument(name), absent) for name, absent in filters.items()}
            named = [name for name, value in given.items() if value not in (filters[name], None)]
            if not named:
                raise
            raise QueryTooExpensive(
                f"With these filters and this sort ({', '.join(named)}) the database is not done in"
                f" {slow.limit}. Narrow it down: sent again as it is, it will hardly be faster."
                f"{narrower(given['q']) if 'q' in named else ''}"
            ) from slow

    return operation
