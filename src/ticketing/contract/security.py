"""Bearer tokens (RFC 6750), by connexion's security middleware: who is asking, and may they do this at all."""

# connexion has no types.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from connexion.middleware.security import SecurityAPI, SecurityMiddleware, SecurityOperation
from connexion.security import AbstractSecurityHandler

from ticketing.contract.admission import USER_TIMES, Patience
from ticketing.contract.exchange import KEY, Exchange
from ticketing.contract.forwarded import subscriber
from ticketing.contract.problems import InvalidToken, Unauthenticated
from ticketing.contract.routing import following

Authenticate = Callable[[str], Awaitable[Any | None]]
Authorize = Callable[[Any, Sequence[str]], None]
WRONG_A_SECOND, WRONG_AT_FIRST = 20, 200
"""How many tokens that were looked up in vain an address may send, before it is told late."""


class Bearer(AbstractSecurityHandler):
    """What connexion's `security_map` holds for `type: http, scheme: bearer`.

    `authenticate` gives an actor, which has an `id` or is one, or None, or raises InvalidToken. Wrong tokens are told
    late to an address that sends many.
    """

    def __init__(self, authenticate: Authenticate, authorize: Authorize | None) -> None:
        self._authenticate = authenticate
        self._authorize = authorize
        self._patience = Patience(WRONG_A_SECOND, WRONG_AT_FIRST)

    def get_fn(self, _security_scheme: Any, required_scopes: Sequence[str]) -> Callable[[Exchange], Awaitable[Any]]:
        """The check of one operation; connexion calls it with the request, and it is called again after a wait."""

        async def verify(exchange: Exchange) -> dict[str, Any]:
            exchange.actor = actor = await self._actor(exchange)
            exchange.actor_id = str(getattr(actor, "id", actor))
            if exchange.verify is None:
                exchange.verify = verify
                exchange.place.hold(exchange.actor_id, USER_TIMES)
            if self._authorize is not None:
                self._authorize(actor, required_scopes)
            return {}

        return verify

    async def _actor(self, exchange: Exchange) -> Any:
        given = exchange.headers.get(b"authorization")
        if given is None:
            exchange.reason = "missing"
            raise Unauthenticated("There is no Authorization header.", headers={"WWW-Authenticate": "Bearer"})
        scheme, _, token = given.decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            exchange.reason = "malformed"
            raise Unauthenticated(
                "The Authorization header is no Bearer token.", headers={"WWW-Authenticate": "Bearer"}
            )
        try:
            actor = await self._authenticate(token.strip(" "))
            if actor is None:
                raise InvalidToken("unknown")
        except InvalidToken as invalid:
            exchange.reason = invalid.reason
            refusal = Unauthenticated(
                MISTYPED if invalid.reason == "malformed" else "This token is not known, has expired, or was revoked.",
                headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
            )
            refusal.late = invalid.looked_up and self._patience.lost(subscriber(exchange.origin.address))
            raise refusal from None
        return actor


MISTYPED = "This is no token of this service: it was not copied whole, or mistyped."


class _Operation(SecurityOperation):
    def _get_verification_fn(self) -> Any:
        """As connexion has it, which tries one requirement after the other; if there is but one, its check is all."""
        requirements = [tuple(requirement.items()) for requirement in self.security]
        match requirements:
            case [((scheme, scopes),)]:
                return self.security_handler_factory.parse_security_scheme(self.security_schemes[scheme], scopes)
        return super()._get_verification_fn()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # The exchange is the request, so that none has to be built of the scope.
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
