"""A contract engine: binds an OpenAPI 3.1 document to handlers, and enforces what it publishes. Knows no product.

`bundle`, `write` and `drift` make the one document of many files; a `Judge` judges input that does not
come by HTTP; `engine.build` makes the application, and is imported by itself, as connexion takes its time. Handlers are
coroutine functions named by operationId: they take typed parameters by name, `body` and `actor`, and give an `Answer`
or a `Stream`, or raise a `Problem`.

    edge        begins and ends an exchange; problems become RFC 9457
    routing     connexion's, in one look-up          404 405
    security    connexion's, with bearer tokens      401 403
    validation  connexion's, by the published schemas: parameters, body    400 406 413 415 422
    dispatch    calls the handler and sends its answer
"""

from ticketing.contract.bundle import bundle, drift, load, write
from ticketing.contract.document import ContractError
from ticketing.contract.exchange import Answer, Line, Pieces, Stream, etag
from ticketing.contract.forwarded import Networks, Proxies
from ticketing.contract.judging import Judge
from ticketing.contract.problems import InvalidToken, Problem

__all__ = [
    "Answer",
    "ContractError",
    "InvalidToken",
    "Judge",
    "Line",
    "Networks",
    "Pieces",
    "Problem",
    "Proxies",
    "Stream",
    "bundle",
    "drift",
    "etag",
    "load",
    "write",
]
