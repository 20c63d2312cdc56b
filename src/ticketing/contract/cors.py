"""Cross-Origin Resource Sharing: which origins' pages may read our answers, by an exact list (Fetch standard, 3.2).

Pages of these origins may send a token. Cookies are not shared: `Access-Control-Allow-Credentials` is never sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import chain
from urllib.parse import urlsplit

from ticketing.contract.deprecation import of_endings
from ticketing.contract.document import Document, operations, parameters, resolve
from ticketing.contract.exchange import Exchange, Lines

MAX_AGE = 600
"""Seconds for which browsers cache a preflight."""
ALWAYS_EXPOSED = ("Retry-After", "WWW-Authenticate", "X-Request-Id")
ALWAYS_TAKEN = ("Authorization", "Content-Type", "X-Request-Id", "traceparent", "tracestate")
"""Those of every request; the last two are W3C Trace Context, which tracing libraries in browsers send."""
METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
"""All that a page can be allowed to send, whether a path has them or not."""

_ORIGIN = re.compile(r"https?://(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?")
_USUAL = {"http": 80, "https": 443}


class Origins(str):
    """Origins as browsers write them (RFC 6454, section 6.2), separated by commas. Raises ValueError."""

    __slots__ = ("known",)

    def __init__(self, text: str = "") -> None:
        words = [word.strip() for word in text.split(",") if word.strip()]
        for word in words:
            if not _ORIGIN.fullmatch(word):
                raise ValueError(word)
            parts = urlsplit(word)
            if parts.port == _USUAL[parts.scheme]:  # Browsers omit it, so it would never match.
                raise ValueError(word)
        self.known = frozenset(word.encode() for word in words)


NO_ORIGINS = Origins()


class Sharing:
    """The CORS headers of an application's answers."""

    def __init__(self, origins: Origins, documents: Mapping[str, Document]) -> None:
        self._origins = origins
        self._paths = frozenset(documents)
        self._below = tuple(f"{path}/" for path in documents)
        self._exposed = exposed({*ALWAYS_EXPOSED, *chain.from_iterable(map(_headers, documents.values()))})
        taken = {*ALWAYS_TAKEN, *chain.from_iterable(map(_taken, documents.values()))}
        self._preflight = (
            (b"access-control-allow-methods", METHODS.encode()),
            (b"access-control-allow-headers", ", ".join(sorted(taken)).encode()),
            (b"access-control-max-age", b"%d" % MAX_AGE),
        )

    def lines(self, exchange: Exchange) -> Lines:
        """The headers of the answer to a request; none for what is served beside the contract."""
        if exchange.path not in self._paths and not exchange.path.startswith(self._below):
            return ()
        return shared(self._origins, exchange.headers.get(b"origin"), self._exposed)

    def preflight(self, exchange: Exchange) -> Lines:
        """The headers of the answer to a preflight for a page of an allowed origin; none for other requests.

        They are the same for every path and method, so that the page can read the 404 or 405 of the request itself.
        """
        if exchange.method != "OPTIONS" or b"access-control-request-method" not in exchange.headers:
            return ()
        return self._preflight if any(name == ALLOWED for name, _ in exchange.sharing) else ()


def exposed(names: Iterable[str]) -> tuple[bytes, bytes]:
    """The header that lets pages read headers with these names."""
    return b"access-control-expose-headers", ", ".join(sorted(names)).encode()


OF_REFUSALS = exposed(ALWAYS_EXPOSED)


def shared(origins: Origins, origin: bytes | None, exposed: tuple[bytes, bytes] = OF_REFUSALS) -> Lines:
    """The headers of the answer to a request with this `Origin`; none if no origin is listed."""
    if not origins:
        return ()
    if origin is None or origin not in origins.known:
        return (_VARY,)
    return (_VARY, (ALLOWED, origin), exposed)


ALLOWED = b"access-control-allow-origin"
_VARY = (b"vary", b"Origin")


def _taken(document: Document) -> set[str]:
    """The request headers that the contract's operations have."""
    return {
        parameter["name"]
        for operation in operations(document)
        for _, parameter in parameters(document, operation)
        if parameter["in"] == "header"
    }


def _headers(document: Document) -> set[str]:
    """The headers that the contract's answers have, with those that tell of a deprecation."""
    return {
        name
        for operation in operations(document)
        for answer in operation.spec["responses"].values()
        for name in (*resolve(document, answer, "")[1].get("headers", {}), *of_endings(operation))
    }
