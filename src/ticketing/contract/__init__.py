"""A contract engine: binds an OpenAPI 3.1 document to handlers, and enforces what it publishes. Knows no product.

`bundle`, `write` and `drift` make one document of many files; a `Judge` validates input that does not come by HTTP;
`engine.build` makes the application, and is imported separately, because connexion is slow to import. Handlers are
coroutine functions named by operationId: they take typed parameters by name, `body`, `actor` and `prefix`, and give an
`Answer`, a `Binary`, a `File`, a `Redirect` or a `Stream`, or raise a `Problem`. docs/engine.md says how an operation
declares what it takes and gives.

    edge        begins and ends an exchange; problems become RFC 9457; CORS
    routing     connexion's, in one look-up          404 405
    security    connexion's, with alternatives       401 403
    validation  connexion's, by the published schemas: parameters, body    400 406 413 415 422
    dispatch    calls the handler and sends its answer, completed with versions and derived members
"""

from ticketing.contract.answers import Binary, Redirect
from ticketing.contract.bundle import bundle, drift, load, write
from ticketing.contract.completion import Complete, completion
from ticketing.contract.cors import Origins
from ticketing.contract.document import ContractError
from ticketing.contract.exchange import Answer, Exchange, Line, Pieces, Stream
from ticketing.contract.files import File
from ticketing.contract.forwarded import Networks, Proxies
from ticketing.contract.incoming import Incoming
from ticketing.contract.judging import Judge
from ticketing.contract.multipart import Upload
from ticketing.contract.problems import Fault, InvalidToken, Problem
from ticketing.contract.versions import VERSION, entity_tags, etag, same_edit, version

__all__ = [
    "VERSION",
    "Answer",
    "Binary",
    "Complete",
    "ContractError",
    "Exchange",
    "Fault",
    "File",
    "Incoming",
    "InvalidToken",
    "Judge",
    "Line",
    "Networks",
    "Origins",
    "Pieces",
    "Problem",
    "Proxies",
    "Redirect",
    "Stream",
    "Upload",
    "bundle",
    "completion",
    "drift",
    "entity_tags",
    "etag",
    "load",
    "same_edit",
    "version",
    "write",
]
