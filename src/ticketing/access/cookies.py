"""The cookie that carries a session, and the token by which its pages show that a request is theirs (CSRF).

Over https, and on this very machine, the cookie has the prefix `__Host-` (RFC 6265bis, 4.1.3.2): browsers then take it
from nobody but this host, and send it nowhere else. Elsewhere on plain http they take none with that prefix.
"""

from __future__ import annotations

import hmac
from hashlib import blake2b
from ipaddress import ip_address

from ticketing.access.actors import Actor
from ticketing.contract import Exchange
from ticketing.contract.cookies import cookies
from ticketing.ground.config import Settings, settings
from ticketing.ground.errors import CsrfTokenInvalid

NAME = "__Host-ticketing"
PLAIN_NAME = "ticketing"
"""Both as the contract has them (spec/security/session.yaml)."""
SECONDS_A_DAY = 86_400


def csrf_token(seed: bytes) -> str:
    """What pages of a session send as `X-CSRF-Token`. It follows from the session's secret alone (`Actor.seed`)."""
    return blake2b(seed, digest_size=20, person=b"ticketing.csrf").hexdigest()


def genuine(actor: Actor, given: str | None) -> None:
    """Refuse a request that another site's page may have made the actor's browser send. Raises CsrfTokenInvalid."""
    if given is None:
        raise CsrfTokenInvalid("There is no X-CSRF-Token header. GET /session has the token that it takes.")
    if not hmac.compare_digest(given.encode(), csrf_token(actor.seed).encode()):
        raise CsrfTokenInvalid("The X-CSRF-Token is not that of this session. GET /session has it.")


def secret_in(exchange: Exchange) -> str | None:
    """The secret of the session that a request has, whether it holds or not; None for none, or more than one."""
    found = cookies(exchange.headers.get(b"cookie", b""), names())
    given = found.get(NAME) or found.get(PLAIN_NAME) or [None]
    return given[0] if len(given) == 1 else None


def names() -> frozenset[str]:
    """What the cookie may be called."""
    return frozenset({NAME} if is_secure(settings()) else {NAME, PLAIN_NAME})


def is_secure(chosen: Settings) -> bool:
    """Whether people reach this installation by https alone."""
    return chosen.public_url.startswith("https://")


def keeping(exchange: Exchange, secret: str) -> str:
    """The header that has a browser keep a session's secret, and show it to no script."""
    name = NAME if is_secure(settings()) or is_loopback(exchange) else PLAIN_NAME
    return _line(name, secret, settings().session_days * SECONDS_A_DAY)


def clearing(exchange: Exchange) -> dict[str, list[str]]:
    """The headers that have a browser forget what it has sent of ours."""
    sent = cookies(exchange.headers.get(b"cookie", b""), names())
    return {"Set-Cookie": [_line(name, "", 0) for name in sent]}


def _line(name: str, value: str, seconds: int) -> str:
    secure = " Secure;" if name == NAME else ""
    return f"{name}={value}; Path=/; Max-Age={seconds};{secure} HttpOnly; SameSite=Lax"


def is_loopback(exchange: Exchange) -> bool:
    """Whether the browser runs on this very machine, as it writes its address: browsers trust that like https."""
    host = exchange.headers.get(b"host", b"").decode("latin-1").lower()
    name = host.partition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    if name == "localhost" or name.endswith(".localhost"):
        return True
    return _is_loopback(name)


def is_local(exchange: Exchange) -> bool:
    """Whether a request comes from a browser on this machine, and no other site's page sends it under its own name."""
    return is_loopback(exchange) and exchange.origin.direct and _is_loopback(exchange.origin.address)


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
