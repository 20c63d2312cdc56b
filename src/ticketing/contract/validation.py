"""connexion's request validation, with an operation's validators made once, not for every request."""

# connexion has no types.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

import re
from collections.abc import Collection
from functools import partial
from typing import Any

from connexion.datastructures import MediaTypeDict
from connexion.middleware.request_validation import (
    RequestValidationAPI,
    RequestValidationMiddleware,
    RequestValidationOperation,
)

from ticketing.contract import multipart
from ticketing.contract.arrivals import Arrivals
from ticketing.contract.body import JsonBody, accepts, matching, media_type
from ticketing.contract.desk import Desk
from ticketing.contract.document import Document
from ticketing.contract.exchange import KEY, Exchange
from ticketing.contract.forms import Forms
from ticketing.contract.incoming import RawBody
from ticketing.contract.parameters import Parameters
from ticketing.contract.problems import NotAcceptable, UnsupportedMediaType
from ticketing.contract.routing import following
from ticketing.contract.schemas import Schemas

CONCRETE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
"""A media type that is no range (RFC 6838, section 4.2)."""


class Room:
    """What bodies share, whichever document they are for: the room for incomplete ones, and the time that each has."""

    def __init__(self, body_seconds: float | None) -> None:
        self.shared = {
            "arrivals": Arrivals(),
            "desk": Desk(),
            "spooled": Arrivals(multipart.MOST_SPOOLED_BYTES),
            "seconds": body_seconds,
        }


def validators(document: Document, forms: Forms, room: Room) -> dict[str, Any]:
    """The `validator_map` of connexion: the validators of parameters, and of bodies by media type."""
    schemas = Schemas(document)

    def parameters(bound: list[Any], keys: Collection[str] = (), **_: Any) -> Parameters:
        return Parameters(bound, document, schemas, forms, keys)

    kinds = {"*/*json": JsonBody, "multipart/form-data": multipart.FormBody, "*/*": RawBody}
    known = {"document": document, "schemas": schemas, "forms": forms, **room.shared}
    bodies = MediaTypeDict({kind: partial(body, **known) for kind, body in kinds.items()})
    return {"parameter": parameters, "body": bodies}


class _Operation(RequestValidationOperation):
    def __init__(self, next_app: Any, *, operation: Any, **options: Any) -> None:
        super().__init__(next_app, operation=operation, **options)
        self._parameters = self._validator_map["parameter"](operation.parameters, keys=self.security_query_params)
        required = operation.request_body.get("required", False)
        self._bodies = {
            kind.lower(): self._validator_map["body"][kind](schema=media["schema"], required=required)
            for kind, media in operation.request_body.get("content", {}).items()
        }
        self._ranges = sorted((kind for kind in self._bodies if kind.endswith("/*")), reverse=True)
        self._expected = " or ".join(self._bodies)
        self._taken = _taken(operation)
        self._spoken = _spoken(operation.produces)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        exchange: Exchange = scope[KEY]
        self._parameters.validate(scope)
        accept = exchange.headers.get(b"accept")
        if accept is not None and not accepts(accept, self._spoken):
            raise NotAcceptable(f"The Accept header rules out {self._spoken[0]}, which is what there is.")
        if self._bodies:
            try:
                await self._body(exchange).wrap_receive(receive, scope=scope)
            except UnsupportedMediaType as problem:
                problem.headers = problem.headers or self._taken
                raise
        await self.next_app(scope, receive, send)

    def _body(self, exchange: Exchange) -> Any:
        if exchange.headers.get(b"content-encoding", b"identity") != b"identity":
            raise UnsupportedMediaType("The body must not be compressed.", headers={"Accept-Encoding": "identity"})
        given = exchange.headers.get(b"content-type")
        if given is None and _has_no_body(exchange):
            return next(iter(self._bodies.values()))
        kind = media_type(given or b"")
        body = self._bodies.get(kind)
        if body is None and self._ranges and CONCRETE.fullmatch(kind):
            body = next((self._bodies[each] for each in self._ranges if matching(kind, (each,))), None)
        if body is None or kind in self._ranges:
            raise UnsupportedMediaType(f"The Content-Type must be {self._expected}.")
        return body


def _taken(operation: Any) -> dict[str, str]:
    """The headers that tell which media types an operation takes (RFC 9110, 15.5.16; RFC 5789, 2.2)."""
    kinds = ", ".join(operation.consumes)
    return {"Accept": kinds} | ({"Accept-Patch": kinds} if operation.method == "patch" else {})


def _spoken(produced: list[str]) -> tuple[str, ...]:
    """The media types of an operation's answers. Any operation may answer a problem."""
    return tuple(dict.fromkeys([*(produced or ["application/json"]), "application/problem+json"]))


def _has_no_body(exchange: Exchange) -> bool:
    declared = exchange.headers.get(b"content-length")
    return b"transfer-encoding" not in exchange.headers and (declared is None or declared == b"0")


class _API(RequestValidationAPI):
    def make_operation(self, operation: Any) -> RequestValidationOperation:
        next_app = following(self.next_app, self.base_path, operation.operation_id)
        return _Operation(next_app, operation=operation, validator_map=self.validator_map)


class Validation(RequestValidationMiddleware):
    """connexion's validation middleware, on exchanges."""

    api_cls = _API
