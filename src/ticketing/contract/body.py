"""Request bodies: read up to a cap, parsed as JSON, and validated by the published schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from typing import Any

from ticketing.contract import strict_json
from ticketing.contract.arrivals import Arrivals, Grow
from ticketing.contract.desk import Desk
from ticketing.contract.document import Document
from ticketing.contract.exchange import KEY, ClientGone, Exchange
from ticketing.contract.forms import Forms
from ticketing.contract.judging import Judge
from ticketing.contract.problems import ContentTooLarge, Fault, MalformedRequest, UnsupportedMediaType
from ticketing.contract.schemas import Schemas

REMEMBERED = 256
"""The longest header whose meaning we cache: clients must not fill our memory."""


class JsonBody:
    """The JSON bodies of one operation and media type, as connexion's `validator_map` wants them."""

    def __init__(
        self,
        *,
        schema: Mapping[str, Any],
        required: bool,
        document: Document,
        schemas: Schemas,
        forms: Forms,
        arrivals: Arrivals,
        desk: Desk,
        seconds: float | None,
        **_: Any,
    ) -> None:
        self._judge = Judge(document, schema["x-schema"], forms, schemas)
        self._cap: int = schema["x-max-body-bytes"]
        self._required = required
        self._arrivals = arrivals
        self._desk = desk
        self._seconds = seconds

    async def wrap_receive(self, receive: Any, *, scope: Any) -> tuple[Any, Any]:
        """Add the body to the exchange. Raises the Problem with it, if there is one."""
        exchange: Exchange = scope[KEY]
        reading = partial(read, receive, exchange.headers, self._cap)
        if exchange.line is not None and not exchange.line.is_reading:
            encoded = await reading()
        else:
            encoded = await self._arrivals.whole(exchange, reading, self._seconds)
            if exchange.verify is not None:  # What ended while the body came must not write.
                await exchange.verify(exchange)
        if encoded:
            exchange.arguments["body"] = await self._desk.done(exchange, len(encoded), partial(self._judged, encoded))
        elif self._required:
            raise MalformedRequest("This request needs a body.")
        return receive, scope

    def _judged(self, encoded: bytes) -> Any:
        try:
            value = strict_json.loads(encoded)
        except strict_json.Unreadable as error:
            raise MalformedRequest(f"The body is not valid JSON. {error}") from None
        except strict_json.Excessive as error:
            raise ContentTooLarge(str(error)) from None
        except strict_json.Unkept as fault:
            detail = str(fault)
            errors = [] if fault.pointer is None else [Fault(fault.code, detail, pointer=fault.pointer)]
            raise MalformedRequest(f"The body is not accepted. {detail}", errors=errors) from None
        return self._judge(value)


async def read(receive: Any, headers: Mapping[bytes, bytes], cap: int, grow: Grow | None = None) -> bytes:
    """The whole body, chunked or not. Beyond `cap` bytes it stops reading and raises ContentTooLarge.

    `grow` is called with the size of each piece of a body that comes in pieces.
    """
    check_declared(headers, cap)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        if len(body) > cap:
            raise too_large(cap)
        return body
    gathered = bytearray()
    while True:
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece = message.get("body", b"")
        gathered += piece
        if len(gathered) > cap:
            raise too_large(cap)
        if grow is not None:
            grow(len(piece))
        if not message.get("more_body", False):
            return bytes(gathered)
        message = await receive()


def check_declared(headers: Mapping[bytes, bytes], cap: int) -> None:
    """Raise ContentTooLarge for a body whose Content-Length is more than `cap` bytes."""
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and (len(declared) > 18 or int(declared) > cap):
        raise too_large(cap)


def too_large(cap: int) -> ContentTooLarge:
    """The problem of a body with more than `cap` bytes."""
    return ContentTooLarge(f"The body may have at most {cap} bytes.", headers={"Connection": "close"})


def media_type(content_type: bytes) -> str:
    """The media type in lower case, without parameters. Raises UnsupportedMediaType for JSON that is not UTF-8."""
    return _media_type(content_type) if len(content_type) <= REMEMBERED else _media_type.__wrapped__(content_type)


@lru_cache(maxsize=256)
def _media_type(content_type: bytes) -> str:
    kind, *parameters = content_type.decode("latin-1").split(";")
    kind = kind.strip().lower()
    if kind.endswith("json"):  # Other bodies are bytes, whatever they say that these mean.
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in ("utf-8", "utf8"):
                raise UnsupportedMediaType("The body must be encoded as UTF-8.")
    return kind


def matching(media_type: str, ranges: Iterable[str]) -> bool:
    """Whether a media type is one of these, or within one of them, such as image/*."""
    return any(each in ("*/*", media_type, media_type.partition("/")[0] + "/*") for each in ranges)


def accepts(accept: bytes, spoken: tuple[str, ...]) -> bool:
    """Whether an Accept header allows one of the media types that we can answer."""
    return _accepts(accept, spoken) if len(accept) <= REMEMBERED else _accepts.__wrapped__(accept, spoken)


@lru_cache(maxsize=256)
def _accepts(accept: bytes, spoken: tuple[str, ...]) -> bool:
    ranges = {kind.partition("/")[0] + "/*" for kind in spoken}
    fitting = {"*/*", *spoken, *ranges}
    for offer in accept.decode("latin-1").lower().split(","):
        kind, *parameters = [part.strip() for part in offer.split(";")]
        refused = any(parameter in ("q=0", "q=0.0", "q=0.00", "q=0.000") for parameter in parameters)
        if not refused and (kind in fitting or matching(kind, spoken)):
            return True
    return not accept.strip()
