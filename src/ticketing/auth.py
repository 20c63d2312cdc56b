"""Who is asking: bearer tokens (RFC 6750), their form, and the actor behind one."""

from __future__ import annotations

import hashlib
import secrets
import time
import zlib
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from ticketing import sql
from ticketing.config import settings
from ticketing.contract import InvalidToken
from ticketing.errors import InsufficientScope
from ticketing.identities import identity

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PREFIX = "tkt_"
SECRET_LENGTH = 30
"""Base62 digits of a secret: 30 × log2(62) ≈ 178 bits."""
CHECKSUM_LENGTH = 6
CACHE_SIZE = 10_000


@dataclass(frozen=True, slots=True)
class Actor:
    """A user, signed in by one of their tokens."""

    id: UUID
    name: str
    role: sql.UserRole
    scopes: frozenset[str]
    token_id: UUID
    token_expires_at: datetime | None
    #: Known only to who holds the token: neither it nor the token follows from what is stored.
    seed: bytes = field(repr=False)

    @property
    def staff(self) -> bool:
        """Whether agents' rights apply."""
        return self.role != "requester"


@dataclass(frozen=True, slots=True)
class Operator:
    """Whoever has the command line: may do what admins may, with no token, and under no name in the log."""

    id: None = None
    role: sql.UserRole = "admin"
    staff: bool = True
    token_id: None = None
    token_expires_at: None = None


OPERATOR = Operator()
Caller = Actor | Operator

_accepted: OrderedDict[bytes, tuple[float, Actor]] = OrderedDict()


async def authenticate(token: str) -> Actor:
    """The actor behind a token. Raises InvalidToken, which says why there is none.

    An accepted token is remembered for `token_cache_ms`, so that a busy client costs no look-up a request; a
    revocation takes effect within that time.
    """
    digest = hash_token(token)
    now = time.monotonic()
    remembered = _accepted.get(digest)
    if remembered and remembered[0] > now:
        return remembered[1]
    if not well_formed(token):
        raise InvalidToken("malformed")
    row = await identity(digest)
    if row is None or row["refusal"]:
        _accepted.pop(digest, None)
        raise InvalidToken((row and row["refusal"]) or "unknown", looked_up=True)
    actor = Actor(
        id=row["user_id"],
        name=row["name"],
        role=row["role"],
        scopes=frozenset(row["scopes"] or ()),
        token_id=row["token_id"],
        token_expires_at=row["expires_at"],
        seed=hashlib.blake2b(token.encode(), digest_size=32, person=b"ticketing.seed").digest(),
    )
    _remember(digest, now, actor)
    return actor


def _remember(digest: bytes, now: float, actor: Actor) -> None:
    until = now + settings().token_cache_ms / 1000
    if actor.token_expires_at:
        until = min(until, now + actor.token_expires_at.timestamp() - time.time())
    _accepted[digest] = (until, actor)
    _accepted.move_to_end(digest)
    if len(_accepted) > CACHE_SIZE:
        _accepted.popitem(last=False)


def forget(token_ids: Collection[UUID]) -> None:
    """Let these tokens be looked up again at once, in this process."""
    for digest in [digest for digest, (_, actor) in _accepted.items() if actor.token_id in token_ids]:
        del _accepted[digest]


def authorize(actor: Actor, scopes: Collection[str]) -> None:
    """Refuse a token that lacks a scope the operation names."""
    missing = [scope for scope in scopes if scope not in actor.scopes]
    if missing:
        raise InsufficientScope.of(scopes, f"This operation needs a token with the scope {missing[0]}.")


def new_token() -> str:
    """A fresh secret."""
    return sealed("".join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH)))


def sealed(secret: str) -> str:
    """`tkt_<secret>_<crc32>`: the checksum lets scanners and this service tell a token from a typo offline."""
    return f"{PREFIX}{secret}_{_checksum(secret)}"


def well_formed(token: str) -> bool:
    """Whether the text can be a token of ours at all."""
    if not token.startswith(PREFIX) or len(token) != len(PREFIX) + SECRET_LENGTH + 1 + CHECKSUM_LENGTH:
        return False
    secret, _, checksum = token.removeprefix(PREFIX).partition("_")
    return token.isascii() and checksum == _checksum(secret)


def hash_token(token: str) -> bytes:
    """What is stored of a token: its SHA-256. Enough for a secret of 178 random bits."""
    return hashlib.sha256(token.encode()).digest()


def _checksum(secret: str) -> str:
    number, digits = zlib.crc32(secret.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
