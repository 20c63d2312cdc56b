"""Documents, problem types and handlers in, ASGI application out."""

# connexion has no types.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

from ticketing.contract import quiet  # noqa: F401 # isort: skip (first)

import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from connexion.middleware import ConnexionMiddleware
from connexion.middleware.lifespan import LifespanMiddleware

from ticketing.contract import checks, problems
from ticketing.contract.checks import Handlers
from ticketing.contract.completion import Derived, completed
from ticketing.contract.cors import NO_ORIGINS, Origins, Sharing
from ticketing.contract.deprecation import notices
from ticketing.contract.dispatch import Dispatcher
from ticketing.contract.document import Document
from ticketing.contract.edge import Edge, Observe
from ticketing.contract.exchange import Lines
from ticketing.contract.forms import Forms
from ticketing.contract.forwarded import NOBODY, Proxies
from ticketing.contract.problems import Catalogue
from ticketing.contract.routing import Routing
from ticketing.contract.security import Authenticate, Authorize, Genuine, Security, Signing, Spend
from ticketing.contract.skeleton import skeleton
from ticketing.contract.validation import Room, Validation, validators


def build(
    documents: Mapping[str, Document],
    catalogue: Catalogue,
    handlers: Handlers,
    authenticators: Mapping[str, Authenticate],
    authorize: Authorize | None = None,
    anonymous: Any = None,
    genuine: Mapping[str, Genuine] | None = None,
    spend: Mapping[str, Spend] | None = None,
    secure: bool = False,
    observe: Observe | None = None,
    lifespan: Callable[..., Any] | None = None,
    at_once: int | None = None,
    always: Collection[str] = (),
    proxies: Proxies | None = None,
    forms: Forms = MappingProxyType({}),
    beside: Callable[[Any], Any] | None = None,
    body_seconds: float | None = None,
    origins: Origins = NO_ORIGINS,
    always_said: Lines = (),
    derived: Derived = MappingProxyType({}),
) -> Any:
    """The application that serves these documents, each below its path. Raises ContractError if they do not fit.

    The documents share handlers, so each operationId is in one of them; and they share the problem types, the ways to
    sign in that each names, and all limits.

    Requests pass routing (404, 405), authentication (401), `authorize` with the scopes that the operation names (403),
    parameters (400), media types (406, 415) and body (413, 400, 422), in this order; each reports all faults it finds.
    Then the handler of the operationId answers.

    `authenticators` has one per security scheme, by its name; if an operation allows it, a request without a
    credential is admitted as the actor `anonymous`. `genuine` has, by the names of their schemes, what checks the key
    in a header that shows a request with a cookie not to come from another site. `spend` has, by the names of their
    schemes, what uses up credentials that are valid once; it is called when the answer begins, unless that is a refusal
    or answers HEAD. If the application is reached by https alone (`secure`), cookies have no other name for plain http.
    Pages of `origins` may read answers to their requests. Text is normalised by the `forms` that the contract names
    before it is validated (`forms.py`).

    More than `at_once` running requests are refused (503) before all of this, except on the paths in `always`. Trusted
    `proxies` say where a request comes from, and what its links begin with. `beside` wraps another application around
    this one, for what is served beside the contract; the edge is around both. A JSON body must be complete within
    `body_seconds` (408); other bodies have more time with each byte. `observe` is called with each answered request.
    Every answer has the headers `always_said`. Members that the contract calls `derived` are added to resources
    (`completion.py`).
    """
    signing = Signing(authenticators, authorize, anonymous, genuine or {}, spend or {}, secure)
    checks.check(documents.values(), handlers, signing)
    packages = {handler.__module__.partition(".")[0] for handler in handlers.values()}
    problems.check(catalogue, packages, has_ranges=checks.has_ranges(documents.values()))
    connexion = ConnexionMiddleware(
        Dispatcher(),
        middlewares=[LifespanMiddleware, Routing, Security, Validation],
        lifespan=lifespan or _idle,
        resolver=completed(handlers, documents.values(), derived).__getitem__,
        security_map=signing.handlers(),
    )
    room = Room(body_seconds)
    for path, document in documents.items():
        connexion.add_api(skeleton(document), base_path=path, validator_map=validators(document, forms, room))
    routing = _bound(connexion)
    routing.notices = notices(documents.values())
    return Edge(
        beside(routing) if beside else routing,
        connexion,
        catalogue,
        observe,
        at_once,
        always,
        proxies or Proxies(NOBODY),
        Sharing(origins, documents) if origins else None,
        always_said,
    )


def _bound(connexion: ConnexionMiddleware) -> Routing:
    """Have connexion assemble its middlewares now, so that a fault in the contract does not wait for a request.

    Returns the first one that requests must pass; those around it are for the lifespan.
    """
    connexion.app, connexion.middleware_stack = connexion._build_middleware_stack()
    return next(layer for layer in connexion.middleware_stack if isinstance(layer, Routing))


@contextlib.asynccontextmanager
async def _idle(_app: Any) -> AsyncIterator[None]:
    yield
