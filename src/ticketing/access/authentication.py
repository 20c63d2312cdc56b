"""Signing in by a bearer token (RFC 6750) or a session: the actor behind one, and whether its scopes suffice."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Collection
from uuid import UUID

from ticketing.access.actors import Actor, signed_in
from ticketing.access.bearer import PREFIX, SESSION, hash_token, well_formed
from ticketing.access.identities import identity
from ticketing.contract import InvalidToken
from ticketing.contract.problems import Unauthenticated
from ticketing.db import sql
from ticketing.ground.config import settings
from ticketing.ground.errors import Forbidden, InsufficientScope

CACHE_SIZE = 10_000
_accepted: OrderedDict[bytes, tuple[float, Actor]] = OrderedDict()


async def authenticate_session(secret: str) -> Actor:
    """The actor behind a session's secret. Raises InvalidToken, which says why there is none."""
    return await authenticate(secret, SESSION)


async def authenticate(token: str, prefix: str = PREFIX) -> Actor:
    """The actor behind a token. Raises InvalidToken, which says why there is none.

    An accepted token is remembered for `token_cache_ms`, so that a busy client costs no look-up a request; a
    revocation takes effect within that time.
    """
    if not token.startswith(prefix):
        raise InvalidToken("malformed")
    digest = hash_token(token)
    now = time.monotonic()
    remembered = _accepted.get(digest)
    if remembered and remembered[0] > now:
        return remembered[1]
    if not well_formed(token, prefix):
        raise InvalidToken("malformed")
    row = await identity(digest)
    if row is None or row["refusal"]:
        _accepted.pop(digest, None)
        raise InvalidToken((row and row["refusal"]) or "unknown", looked_up=True)
    actor = signed_in(row, seed_of(token))
    _remember(digest, now, actor)
    return actor


def seed_of(token: str) -> bytes:
    """What is known to who holds a token or a session's secret, and follows from nothing that is stored."""
    return hashlib.blake2b(token.encode(), digest_size=32, person=b"ticketing.seed").digest()


def _remember(digest: bytes, now: float, actor: Actor) -> None:
    until = now + settings().token_cache_ms / 1000
    if actor.token_expires_at:
        until = min(until, now + actor.token_expires_at.timestamp() - time.time())
    _accepted[digest] = (until, actor)
    _accepted.move_to_end(digest)
    if len(_accepted) > CACHE_SIZE:
        _accepted.popitem(last=False)


async def verify(conn: sql.Connection, actor: Actor) -> None:
    """Look up again the token of an actor who was remembered. Raises Unauthenticated if it has ended elsewhere."""
    if actor.token_id is None:
        return
    forget({actor.token_id})
    if await sql.tokens.get_token_refusal(conn, token_id=actor.token_id):
        raise Unauthenticated(
            "This session has ended." if actor.session else "This token has expired or was revoked.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )


def forget(token_ids: Collection[UUID]) -> None:
    """Let these tokens be looked up again at once, in this process."""
    for digest in [digest for digest, (_, actor) in _accepted.items() if actor.token_id in token_ids]:
        del _accepted[digest]


def authorize(actor: Actor, scopes: Collection[str]) -> None:
    """Refuse a token that lacks a scope the operation names. A session lacks those that its user's role cannot have."""
    missing = [scope for scope in scopes if scope not in actor.scopes]
    if missing and actor.session:
        raise Forbidden("Only admins may do this.")
    if missing:
        raise InsufficientScope.of(scopes, f"This operation needs a token with the scope {missing[0]}.")
