"""Bodies that are not JSON: passed on as they arrive, and never whole in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ticketing.contract.allowance import LEAST_RATE, Allowance
from ticketing.contract.body import check_declared, too_large
from ticketing.contract.exchange import KEY, ClientGone, Exchange
from ticketing.contract.problems import MalformedRequest, RequestTimeout


class Incoming:
    """The body of a request as an iterator of its pieces, with back-pressure: the next comes when the last was taken.

    Iterating raises ContentTooLarge beyond the cap, RequestTimeout for a client that is too slow, ClientGone for one
    that has left and, at the end, Unauthenticated or another refusal for a client who may no longer do this. So store
    nothing that follows from a body before the iteration has ended. Hold no database connection or lock meanwhile: the
    client decides how long it takes.
    """

    def __init__(self, exchange: Exchange, receive: Any, media_type: str, cap: int, seconds: float | None) -> None:
        check_declared(exchange.headers, cap)
        self.media_type = media_type
        """The Content-Type of the request, with its parameters, as the client wrote it."""
        self.complete = False
        self.size = 0
        """Bytes that have arrived."""
        self._exchange = exchange
        self._receive = receive
        self._cap = cap
        self._allowance = Allowance(seconds)
        self._seconds = seconds
        self._ahead = b""
        self._is_long = False

    def __aiter__(self) -> Incoming:
        return self

    async def __anext__(self) -> bytes:
        if self._ahead:
            piece, self._ahead = self._ahead, b""
            return piece
        while not self.complete:
            if piece := await self._next():
                return piece
        if self._is_long and self._exchange.verify is not None:
            self._is_long = False
            await self._exchange.verify(self._exchange)
        raise StopAsyncIteration

    async def begin(self) -> bool:
        """Wait for the first piece; return whether there is one."""
        while not (self._ahead or self.complete):
            self._ahead = await self._next()
        self._is_long = not self.complete
        return bool(self._ahead)

    def close(self) -> None:
        """Nothing is held of what was not taken but a piece."""
        self._ahead = b""

    async def _next(self) -> bytes:
        try:
            message = await self._allowance.wait(self._receive())
        except TimeoutError:
            raise RequestTimeout(
                f"The body comes too slowly. It may take {self._seconds} s, and a second more for each "
                f"{LEAST_RATE // 1024} KiB."
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece: bytes = message.get("body", b"")
        self.size += len(piece)
        if self.size > self._cap:
            raise too_large(self._cap)
        self._allowance.earn(len(piece))
        self.complete = not message.get("more_body", False)
        return piece


class RawBody:
    """The bodies of one operation and media type that the handler takes piece by piece, as an Incoming."""

    def __init__(self, *, schema: Mapping[str, Any], required: bool, seconds: float | None, **_: Any) -> None:
        self._cap: int = schema["x-max-body-bytes"]
        self._required = required
        self._seconds = seconds

    async def wrap_receive(self, receive: Any, *, scope: Any) -> tuple[Any, Any]:
        """Add the body to the exchange. Raises what is wrong with it."""
        exchange: Exchange = scope[KEY]
        media_type = exchange.headers.get(b"content-type", b"").decode("latin-1")
        body = exchange.body = Incoming(exchange, receive, media_type, self._cap, self._seconds)
        if await body.begin():
            exchange.arguments["body"] = body
        elif self._required:
            raise MalformedRequest("This request needs a body.")
        return receive, scope
