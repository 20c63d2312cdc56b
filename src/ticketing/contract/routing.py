"""connexion's routing, in one look-up: a dictionary finds a path, or one regular expression for its depth.

From there each layer calls the next one's operation, which `following` found at start, so that no layer looks it up
again.
"""

# connexion has no types.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from connexion.middleware.abstract import AbstractRoutingAPI, RoutedMiddleware, SpecMiddleware
from connexion.operations import AbstractOperation

from ticketing.contract.document import ContractError
from ticketing.contract.exchange import KEY, Exchange, Lines
from ticketing.contract.problems import Fault, InvalidParameter, MethodNotAllowed, RouteNotFound

_NAME = re.compile(r"\{([^}]+)\}")


class Route:
    """A path with its operations."""

    __slots__ = ("names", "operations", "options", "positions")

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.operations: dict[str, str] = {}
        self.positions = range(0)
        self.options: dict[str, str] = {}
        """What an answer to OPTIONS says: the methods, and what a PATCH takes (RFC 5789, 3.1)."""

    def add(self, method: str, operation: Any) -> None:
        for each in (method, "HEAD") if method == "GET" and "HEAD" not in self.operations else (method,):
            self.operations[each] = str(operation.operation_id)
        self.options["Allow"] = ", ".join(sorted({*self.operations, "OPTIONS"}))
        if method == "PATCH":
            self.options["Accept-Patch"] = ", ".join(operation.consumes)


class RoutingTable(AbstractRoutingAPI[Any]):
    """The operations of one document by path and method."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.routes: dict[str, Route] = {}
        super().__init__(*args, **options)

    def make_operation(self, operation: AbstractOperation) -> AbstractOperation:
        return operation

    @staticmethod
    def _framework_path_and_name(_operation: AbstractOperation, path: str) -> tuple[str, str]:
        return path, path

    def _add_operation_internal(self, method: str, path: str, operation: AbstractOperation, **_: Any) -> None:
        route = self.routes.setdefault(self.base_path + path, Route(_NAME.findall(path)))
        route.add(method.upper(), operation)


class Routing(SpecMiddleware):
    """Finds the operation of a request, for the middlewares after it. Raises RouteNotFound and MethodNotAllowed."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self._operations: dict[str, Any] = {}
        self._concrete: dict[str, Route] = {}
        self._parted: dict[int, dict[str, Route]] = {}
        self._templated: dict[int, tuple[re.Pattern[str], list[Route]]] = {}
        self.notices: Mapping[str, Lines] = {}
        """Headers of every answer of some operations, by operationId."""

    def add_api(self, specification: Any, **options: Any) -> None:
        table = RoutingTable(specification, **options)
        for route in table.routes.values():
            for operation_id in route.operations.values():
                self._operations[operation_id] = following(self.app, table.base_path, operation_id)
        for path, route in table.routes.items():
            if route.names:
                self._parted.setdefault(path.count("/"), {})[path] = route
            else:
                self._concrete[path] = self._concrete[path.removesuffix("/")] = route
        self._templated = {slashes: _alternatives(routes) for slashes, routes in self._parted.items()}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        exchange: Exchange = scope[KEY]
        route, scope["path_params"] = self._find(exchange.path)
        operation_id = route.operations.get(exchange.method)
        if operation_id is None:
            if exchange.method == "OPTIONS":
                await exchange.respond(204, exchange.head(route.options))
                return
            allow = route.options["Allow"]
            raise MethodNotAllowed(f"This path knows {allow}.", headers={"Allow": allow})
        exchange.operation_id = operation_id
        if operation_id in self.notices:
            exchange.always_said = (*exchange.always_said, *self.notices[operation_id])
        await self._operations[operation_id](scope, receive, send)

    def _find(self, path: str) -> tuple[Route, dict[str, str]]:
        # An encoded slash is part of a segment, so what is encoded is split before it is decoded.
        if route := self._concrete.get(path):
            return route, {}
        pattern, routes = self._templated.get(path.count("/"), _NO_ALTERNATIVES)
        match = pattern.fullmatch(path)
        if match is None or match.lastindex is None:
            raise RouteNotFound("There is nothing at this address.")
        route = routes[match.lastindex - 1]
        values = [match[position] for position in route.positions]
        if "%" in path or not path.isascii():
            return route, {name: _decoded(name, value) for name, value in zip(route.names, values, strict=True)}
        return route, dict(zip(route.names, values, strict=True))


def following(layer: RoutedMiddleware[Any], base_path: str, operation_id: str) -> Any:
    """The next layer's operation. connexion binds the innermost layer first, so it exists already."""
    return layer.apis[base_path][-1].operations[operation_id]


def _alternatives(routes: Mapping[str, Route]) -> tuple[re.Pattern[str], list[Route]]:
    """A pattern of all these paths, and the route of each of its groups."""
    groups: list[Route] = []
    for route in routes.values():
        # One group for the route itself, which closes last and so is `lastindex`, then one for each name.
        route.positions = range(len(groups) + 2, len(groups) + 2 + len(route.names))
        groups += [route] * (1 + len(route.names))
    return re.compile("|".join(f"({_pattern(path)})" for path in routes)), groups


_NO_ALTERNATIVES: tuple[re.Pattern[str], list[Route]] = re.compile(r"(?!)"), []


def _pattern(path: str) -> str:
    parts = _NAME.split(path)
    if len(set(parts[1::2])) != len(parts[1::2]):
        raise ContractError(f"The path {path} names a parameter twice.")
    return "".join("([^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts))


def _decoded(name: str, value: str) -> str:
    try:
        return unquote_to_bytes(value).decode()
    except (UnicodeDecodeError, UnicodeEncodeError):
        detail = "This is not UTF-8."
        raise InvalidParameter(
            f"The parameter {name} is not valid. {detail}", errors=[Fault("wrong_format", detail, parameter=name)]
        ) from None
