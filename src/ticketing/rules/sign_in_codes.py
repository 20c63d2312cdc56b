"""Codes by mail: who reads the mail of an address shows it by the six digits that were sent there.

Nothing tells whether an address is anybody's: each is answered alike, with a code that is kept, counted and tried
alike, after the same work. Only the mail is not sent to who may not sign in.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TypedDict
from urllib.parse import urlencode
from uuid import UUID, uuid4

import uuid_utils.compat as uuids
from psycopg import Rollback

from ticketing import mail
from ticketing.access.bearer import hash_token
from ticketing.db import sql
from ticketing.ground import links, moments
from ticketing.ground.config import settings
from ticketing.ground.errors import TooManySignInCodes

MINUTES = 10
"""How long a code holds."""
ATTEMPTS = 5
"""How often one may be tried."""
FOR_ADDRESS, FROM_NETWORK = 5, 100
"""Most codes an hour for an address of mail, and from an IP address (for IPv6, a /64 network)."""


class SignInCode(TypedDict):
    """The contract's SignInCode."""

    id: str
    email: str
    expires_at: str


async def create(conn: sql.Connection, email: str, *, network: str, language: str) -> SignInCode:
    """Make a code in a transaction, and mail it to who may sign in with this address.

    `language` is that of the browser, for people whose own is not known. Raises TooManySignInCodes.
    """
    await _check_limits(conn, email, network)  # Whoever is refused anyway waits for nobody.
    await sql.sign_in_codes.lock_sign_in_codes(conn, email=email, network=network)
    await _check_limits(conn, email, network)
    # Random as the secret that it is, and so not of the time, as other ids are.
    code_id, code = uuid4(), f"{secrets.randbelow(10**6):06}"
    expires_at = datetime.now(UTC) + timedelta(minutes=MINUTES)
    await sql.sign_in_codes.insert_sign_in_code(
        conn,
        hash=hash_token(str(code_id)),
        code_hash=_hash(code_id, code),
        email=email,
        network=network,
        expires_at=expires_at,
    )
    await _mail(conn, email, code_id, code, language=language, expires_at=expires_at)
    return {"id": str(code_id), "email": email, "expires_at": moments.written(expires_at)}


async def _check_limits(conn: sql.Connection, email: str, network: str) -> None:
    wait = await sql.sign_in_codes.get_sign_in_wait(
        conn, email=email, network=network, for_address=FOR_ADDRESS, from_network=FROM_NETWORK
    )
    if wait is not None:
        raise TooManySignInCodes(
            f"Too many codes were asked for. Use the last one, or ask for another in {-(-wait // 60)} minutes.",
            headers={"Retry-After": str(max(wait, 1))},
        )


async def _mail(
    conn: sql.Connection, email: str, code_id: UUID, code: str, *, language: str, expires_at: datetime
) -> None:
    """Send the code. For who may not sign in the same is done, and taken back."""
    addressee = await sql.sign_in_codes.get_addressee(conn, email=email)
    admitted = addressee["may_sign_in"] if addressee else settings().registration.admits(email)
    name = addressee["name"] if addressee else ""
    # Case is compared as PostgreSQL sees it. What is known goes to the address that is known, not to one like it.
    to = mail.Address(name, (addressee and addressee["email"]) or email)
    query = urlencode({"id": code_id, "code": code, "email": to.email})
    async with conn.transaction() as sending:
        await mail.send(
            conn,
            template="sign_in_code",
            to=to,
            locale=(addressee and addressee["locale"]) or language,
            values={"code": code, "url": links.of_page(f"/sign-in?{query}"), "minutes": MINUTES},
            expires_at=expires_at,
        )
        if not admitted:
            raise Rollback(sending)


async def redeem(conn: sql.Connection, code_id: UUID, code: str) -> UUID | None:
    """Try a code in a transaction, which is to be committed in any case: the user who reads its mail, or None.

    Who has no account yet gets one, if registration admits the address, and `user.created` is recorded.
    """
    tried = await sql.sign_in_codes.try_sign_in_code(
        conn, hash=hash_token(str(code_id)), code_hash=_hash(code_id, code), attempts=ATTEMPTS
    )
    if tried is None or not tried["is_right"]:
        return None
    email = tried["email"]
    if settings().registration.admits(email):
        user_id = uuids.uuid7()
        await sql.users.add_requester(
            conn,
            event_id=uuids.uuid7(),
            actor_id=user_id,
            user_id=user_id,
            # A name is shown to people who may not know the address.
            name=email.partition("@")[0],
            email=email,
        )
    addressee = await sql.sign_in_codes.get_addressee(conn, email=email)
    return addressee["id"] if addressee and addressee["may_sign_in"] else None


def _hash(code_id: UUID, code: str) -> bytes:
    """What is kept of a code. Six digits are soon found by trying; so it takes the id, of which only a hash is kept."""
    return blake2b(code.encode(), digest_size=32, key=code_id.bytes, person=b"ticketing.code").digest()
