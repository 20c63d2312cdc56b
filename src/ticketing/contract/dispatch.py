"""The application inside connexion's middlewares: calls the operation's handler and sends its answer."""

# connexion has no types.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

import inspect
from typing import Any

from connexion.middleware.abstract import RoutedAPI, RoutedMiddleware

from ticketing.contract.answers import Binary, Redirect
from ticketing.contract.exchange import KEY, Answer, Exchange, Stream
from ticketing.contract.files import File
from ticketing.contract.problems import MalformedRequest


class _Operation:
    def __init__(self, operation: Any) -> None:
        self._handler = operation.function
        taken = inspect.signature(self._handler).parameters
        self._takes_actor, self._takes_prefix = "actor" in taken, "prefix" in taken
        self._takes_exchange = "exchange" in taken
        self._edited = {
            int(status): frozenset(response["x-edited"])
            for status, response in operation.responses.items()
            if "etag" in response["x-headers"] and status.isdigit()
        }

    async def __call__(self, scope: Any, receive: Any, _send: Any) -> None:
        exchange: Exchange = scope[KEY]
        if self._takes_actor:
            exchange.arguments["actor"] = exchange.actor
        if self._takes_prefix:
            exchange.arguments["prefix"] = exchange.origin.prefix
        if self._takes_exchange:
            exchange.arguments["exchange"] = exchange
        answer: Answer | Stream | Binary | File | Redirect = await self._handler(**exchange.arguments)
        match answer:
            case Answer():
                await exchange.answer(answer, self._edited.get(answer.status))
            case Stream():
                if scope["http_version"] == "1.0":  # It has no chunks (RFC 9112, 6.1).
                    raise MalformedRequest("A stream needs HTTP/1.1, also from a proxy in between.")
                await exchange.stream(answer, receive)
            case File():
                await answer.send(exchange, receive)
            case Binary():
                await answer.send(exchange, answer.status in self._edited)
            case Redirect():
                await answer.send(exchange)


class _API(RoutedAPI[_Operation]):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.add_paths()

    def make_operation(self, operation: Any) -> _Operation:
        return _Operation(operation)


class Dispatcher(RoutedMiddleware[_API]):
    """The innermost layer; connexion adds the document to it as to its own middlewares."""

    api_cls = _API

    def __init__(self) -> None:
        super().__init__(None)
