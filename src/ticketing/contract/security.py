"""Authentication and scopes: who is asking, by one of the operation's security alternatives, and whether they may.

The alternatives are a bearer token (RFC 6750), a cookie, and a key in the address. Only one credential of a request is
checked: the token before the key, and both before the cookie, which browsers send unasked. If it is not valid, the
answer is 401, whatever else the request has. Only a request without any credential can be anonymous, and only if the
operation says `x-anonymous`; if that is `lapsed`, so can one with a cookie that is not valid.

Beside a cookie, an alternative may name a key in a header: what only pages of the application's own origin can send, so
that a request of another site's page is refused although the browser has added the cookie.
"""

# connexion has no types.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from connexion.middleware.security import SecurityAPI, SecurityMiddleware, SecurityOperation
from connexion.security import AbstractSecurityHandler

from ticketing.contract.admission import USER_TIMES, Patience
from ticketing.contract.cookies import cookies
from ticketing.contract.exchange import KEY, Exchange
from ticketing.contract.forwarded import subscriber
from ticketing.contract.parameters import texts_of
from ticketing.contract.problems import InvalidToken, Unauthenticated
from ticketing.contract.routing import following
from ticketing.contract.skeleton import ANONYMOUS

Authenticate = Callable[[str], Awaitable[Any | None]]
"""Returns the actor of a credential, which has an `id` or is one. None, or InvalidToken, if there is none."""

Spend = Callable[[str], Awaitable[bool]]
"""Uses up a credential that is valid once; False if another request has used it meanwhile."""

Authorize = Callable[[Any, Sequence[str]], None]
"""Raises a Problem for an actor who lacks one of these scopes."""

Genuine = Callable[[Any, str | None], None]
"""Takes an actor who has signed in by a cookie, and a header. Raises a Problem unless a page of theirs has sent it."""

COOKIE = 2
"""The rank of a cookie: below what a client sends on purpose."""
PLAIN = "x-plain-name"
"""What a cookie's scheme says: its name where there is no https, and so no cookie with the prefix `__Host-`."""
LAPSED = "lapsed"
"""What `x-anonymous` says of an operation for which a cookie that is not valid counts as none."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""

WRONG_A_SECOND, WRONG_AT_FIRST = 20, 200
"""How many unknown credentials an address may send before its refusals are delayed."""

MISTYPED = "This is no {} of this service: it was not copied whole, or mistyped."
ENDED = "This {} is not known, has expired, or {}."


@dataclass(frozen=True, slots=True)
class Signing:
    """The application's functions for authentication and authorization."""

    authenticators: Mapping[str, Authenticate]
    """Authenticators by the name of their security scheme."""
    authorize: Authorize | None = None
    anonymous: Any = None
    """The actor of a request without a credential, where operations allow that."""
    genuine: Mapping[str, Genuine] = field(default_factory=dict)
    """By the name of their security scheme: what checks a key in a header beside a cookie."""
    spend: Mapping[str, Spend] = field(default_factory=dict)
    """By the name of their security scheme: what uses up credentials that are valid once."""
    secure: bool = False
    """Whether browsers reach us by https alone, so that no cookie counts that came by plain http."""
    patience: Patience = field(default_factory=lambda: Patience(WRONG_A_SECOND, WRONG_AT_FIRST))

    def handlers(self) -> dict[str, Any]:
        """The `security_map` of connexion."""
        return {"bearer": partial(_Bearer, self), "apiKey": partial(_Key, self), ANONYMOUS: partial(_Nobody, self)}


@dataclass(frozen=True, slots=True)
class Proof:
    """The key in a header by which a request with a cookie shows that it is of one of the actor's own pages."""

    header: bytes
    genuine: Genuine

    def check(self, exchange: Exchange, actor: Any) -> None:
        """Raises the application's Problem."""
        given = exchange.headers.get(self.header)
        self.genuine(actor, None if given is None else given.decode("latin-1"))


class _Unread(Exception):
    """A credential is malformed; the message is a sentence that says why."""


@dataclass(frozen=True, slots=True)
class Way:
    """One security alternative of one operation."""

    signing: Signing
    rank: int
    """Of several credentials in a request, the one with the lowest rank is checked."""
    read: Callable[[Exchange], str | None]
    """The credential of a request, or None. Raises _Unread."""
    scopes: Sequence[str] = ()
    noun: str = "token"
    ended: str = "was revoked"
    missing: str = ""
    challenge: str = ""
    authenticate: Authenticate | None = None
    """None for requests without a credential."""
    spend: Spend | None = None
    proof: Proof | None = None
    """What a request needs besides."""


class _Handler(AbstractSecurityHandler):
    """A connexion handler for a kind of scheme; returns a Way, or a Proof, instead of a function."""

    def __init__(self, signing: Signing) -> None:
        self._signing = signing

    def _way(self, scheme: Mapping[str, Any], scopes: Sequence[str], **about: Any) -> Way:
        name = scheme["x-name"]
        authenticate, spend = self._signing.authenticators[name], self._signing.spend.get(name)
        return Way(self._signing, scopes=scopes, authenticate=authenticate, spend=spend, **about)


class _Bearer(_Handler):
    """`type: http, scheme: bearer`"""

    def get_fn(self, security_scheme: Any, required_scopes: Sequence[str]) -> Way:
        return self._way(
            security_scheme, required_scopes, rank=0, read=_bearer, missing="Authorization header", challenge="Bearer"
        )


class _Key(_Handler):
    """`type: apiKey`, in a cookie, in the query or in a header"""

    def get_fn(self, security_scheme: Any, required_scopes: Sequence[str]) -> Way | Proof:
        name = security_scheme["name"]
        if security_scheme["in"] == "header":
            return Proof(name.lower().encode(), self._signing.genuine[security_scheme["x-name"]])
        if security_scheme["in"] == "cookie":
            plain = None if self._signing.secure else security_scheme.get(PLAIN)
            how = {
                "rank": COOKIE,
                "noun": "session",
                "ended": "has ended",
                "missing": f"cookie {name}",
                "challenge": f'Cookie name="{name}"',
            }
            return self._way(security_scheme, required_scopes, read=partial(_cookie, name, plain), **how)
        how = {
            "rank": 1,
            "noun": name,
            "ended": "was used",
            "missing": f"parameter {name}",
            "challenge": f'Query name="{name}"',
        }
        return self._way(security_scheme, required_scopes, read=partial(_query, name), **how)


class _Nobody(_Handler):
    """`x-anonymous`"""

    def get_fn(self, _security_scheme: Any, required_scopes: Sequence[str]) -> Way:
        return Way(self._signing, rank=3, read=lambda _: "", scopes=required_scopes)


def _bearer(exchange: Exchange) -> str | None:
    given = exchange.headers.get(b"authorization")
    if given is None:
        return None
    scheme, _, token = given.decode("latin-1").partition(" ")
    if scheme.lower() != "bearer":
        raise _Unread("The Authorization header is not a Bearer token.")
    return token.strip(" ")


def _cookie(name: str, plain: str | None, exchange: Exchange) -> str | None:
    if (header := exchange.headers.get(b"cookie")) is None:
        return None
    found = cookies(header, (name, plain))
    given = found.get(name) or found.get(plain or name) or ()
    return _one([value or "" for value in given], f"cookie {name}")


def _query(name: str, exchange: Exchange) -> str | None:
    return _one(texts_of(exchange.query, name) if exchange.query else (), f"parameter {name}")


def _one(given: Sequence[str], what: str) -> str | None:
    if len(given) > 1:
        raise _Unread(f"The {what} is given {len(given)} times.")
    return given[0] if given else None


class Door:
    """The check that a request must pass to reach an operation."""

    def __init__(self, ways: Sequence[Way]) -> None:
        self._signing = ways[0].signing
        self._authorize = self._signing.authorize
        self._ways = sorted(ways, key=lambda way: way.rank)
        named = [way for way in self._ways if way.authenticate]
        self._forgives = any(LAPSED in way.scopes for way in self._ways if way.authenticate is None)
        self._missing = "There is no " + ", and no ".join(way.missing for way in named) + "."
        self._challenges = [way.challenge for way in named]

    async def verify(self, exchange: Exchange) -> None:
        """Authenticate and authorize the request; done again at the end of a slow body.

        Raises Unauthenticated, and what the application raises.
        """
        for way in self._ways:
            try:
                if (credential := way.read(exchange)) is None:
                    continue
                if way.authenticate is None:
                    self._let_in_unnamed(exchange)
                else:
                    await self._let_in(exchange, way, way.authenticate, credential)
            except _Unread as unread:
                exchange.reason = "malformed"
                refusal = self._refusal(str(unread))
            except Unauthenticated as unknown:
                refusal = unknown
            else:
                return
            if way.rank != COOKIE or not self._forgives:
                raise refusal
            exchange.reason = None
        exchange.reason = "missing"
        raise self._refusal(self._missing)

    async def _let_in(self, exchange: Exchange, way: Way, authenticate: Authenticate, credential: str) -> None:
        exchange.actor = actor = await self._actor(exchange, way, authenticate, credential)
        exchange.actor_id = str(getattr(actor, "id", actor))
        if exchange.verify is None:
            exchange.verify = self.verify
            exchange.place.hold(exchange.actor_id, USER_TIMES)
        if way.proof is not None:
            way.proof.check(exchange, actor)
        if self._authorize is not None:
            self._authorize(actor, way.scopes)
        if way.spend is not None and exchange.method != "HEAD":
            exchange.spend = partial(self._spend, exchange, way, way.spend, credential)

    def _let_in_unnamed(self, exchange: Exchange) -> None:
        if b"authorization" in exchange.headers:
            # Whoever names themselves is not to be taken for nobody, even where that name cannot be used.
            exchange.reason = "malformed"
            raise self._refusal("This operation takes no Authorization header.")
        exchange.actor = self._signing.anonymous

    async def _actor(self, exchange: Exchange, way: Way, authenticate: Authenticate, credential: str) -> Any:
        try:
            actor = await authenticate(credential)
            if actor is None:
                raise InvalidToken("unknown")
        except InvalidToken as invalid:
            exchange.reason = invalid.reason
            if invalid.reason == "malformed":
                refusal = self._refusal(MISTYPED.format(way.noun), way)
            else:
                refusal = self._refusal(ENDED.format(way.noun, way.ended), way)
            refusal.late = invalid.looked_up and self._signing.patience.lost(subscriber(exchange.origin.address))
            raise refusal from None
        return actor

    async def _spend(self, exchange: Exchange, way: Way, spend: Spend, credential: str) -> None:
        if not await spend(credential):
            exchange.reason = "used"
            raise self._refusal(ENDED.format(way.noun, way.ended), way)

    def _refusal(self, detail: str, wrong: Way | None = None) -> Unauthenticated:
        """401, with the accepted schemes (RFC 9110, 11.6.1)."""
        challenges = self._challenges
        if wrong is not None and wrong.rank == 0:
            challenges = ['Bearer error="invalid_token"', *challenges[1:]]
        return Unauthenticated(detail, headers={"WWW-Authenticate": ", ".join(challenges)})


class _Operation(SecurityOperation):
    def _get_verification_fn(self) -> Any:
        """The check of this operation, made once. connexion's own would try the next alternative after any error."""
        if not self.security:
            return super()._get_verification_fn()
        return Door([self._way(requirement) for requirement in self.security]).verify

    def _way(self, requirement: Mapping[str, Sequence[str]]) -> Way:
        parse = self.security_handler_factory.parse_security_scheme
        parts = [parse(self.security_schemes[name], scopes) for name, scopes in requirement.items()]
        (way,) = [part for part in parts if isinstance(part, Way)]
        return replace(way, proof=next((part for part in parts if isinstance(part, Proof)), None))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # The exchange serves as the request, so that none has to be built from the scope.
        await self.verification_fn(scope[KEY])
        await self.next_app(scope, receive, send)


class _API(SecurityAPI):
    def make_operation(self, operation: Any) -> SecurityOperation:
        return _Operation.from_operation(
            operation,
            next_app=following(self.next_app, self.base_path, operation.operation_id),
            security_handler_factory=self.security_handler_factory,
        )


class Security(SecurityMiddleware):
    """connexion's security middleware, on exchanges."""

    api_cls = _API
