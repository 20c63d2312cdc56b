"""Codes by mail: who reads the mail of an address shows it by the six digits that were sent there, or by its link.

Whoever asks for a code knows its id, and so can use up the digits by guessing. The link holds a secret that nobody
guesses, so no guess ends it.

Nothing tells whether an address is anybody's: each is answered alike, with a code that is kept, counted and tried
alike, after the same work. Only the mail is not sent to who may not sign in.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple, TypedDict
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
DIGITS, SECRET_BYTES = 6, 16
ATTEMPTS, ATTEMPTS_FOR_ADDRESS = 5, 50
"""How often the digits of one may be tried, and those of all for an address of mail within an hour."""
FOR_ADDRESS, FOR_ADDRESS_FROM_NETWORK, FOR_ADDRESS_FROM_SITE = 30, 5, 10
"""Most codes an hour for an address of mail: in all, and asked for from one network or site."""
FROM_NETWORK, FROM_SITE = 100, 500
"""Most codes an hour for whatever addresses, from an IP address (for IPv6, a /64 network) and from an IPv6 /48."""


class SignInCode(TypedDict):
    """The contract's SignInCode."""

    id: str
    email: str
    expires_at: str


class Asker(NamedTuple):
    """Where somebody asks from."""

    network: str
    """An IPv4 address, or an IPv6 /64."""
    site: str | None
    """The IPv6 /48 that the network is in."""


async def create(conn: sql.Connection, email: str, *, asker: Asker, language: str) -> SignInCode:
    """Make a code in a transaction, and mail it to who may sign in with this address.

    `language` is that of the browser, for people whose own is not known. Raises TooManySignInCodes.
    """
    await _check_limits(conn, email, asker)  # Whoever is refused anyway waits for nobody.
    await sql.sign_in_codes.lock_sign_in_codes(conn, email=email, **asker._asdict())
    await _check_limits(conn, email, asker)
    # Random as the secret that it is, and so not of the time, as other ids are.
    code_id, code = uuid4(), f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    link = secrets.token_urlsafe(SECRET_BYTES)
    expires_at = datetime.now(UTC) + timedelta(minutes=MINUTES)
    addressee = await sql.sign_in_codes.get_addressee(conn, email=email)
    admitted = addressee["may_sign_in"] if addressee else settings().registration.admits(email)
    mailed = await sql.sign_in_codes.insert_sign_in_code(
        conn,
        hash=hash_token(str(code_id)),
        code_hash=_hash(code_id, code),
        link_hash=_hash(code_id, link),
        email=email,
        **asker._asdict(),
        newcomer=addressee is None and settings().registration.admits(email),
        newcomers=settings().newcomer_mails,
        expires_at=expires_at,
    )
    if not mailed:
        mail.withheld("sign_in_code")
    # Case is compared as PostgreSQL sees it. What is known goes to the address that is known, not to one like it.
    name, to = (addressee["name"], addressee["email"] or email) if addressee else ("", email)
    async with conn.transaction() as sending:
        await mail.send(
            conn,
            template="sign_in_code",
            to=mail.Address(name, to),
            locale=(addressee and addressee["locale"]) or language,
            values={"code": code, "url": links.of_sign_in(code_id, link, to), "minutes": MINUTES},
            expires_at=expires_at,
        )
        if not (admitted and mailed):  # The same is done for everybody, and taken back.
            raise Rollback(sending)
    return {"id": str(code_id), "email": email, "expires_at": moments.written(expires_at)}


async def _check_limits(conn: sql.Connection, email: str, asker: Asker) -> None:
    wait = await sql.sign_in_codes.get_sign_in_wait(
        conn,
        email=email,
        **asker._asdict(),
        for_address=FOR_ADDRESS,
        for_address_from_network=FOR_ADDRESS_FROM_NETWORK,
        for_address_from_site=FOR_ADDRESS_FROM_SITE,
        from_network=FROM_NETWORK,
        from_site=FROM_SITE,
    )
    if wait is not None:
        raise TooManySignInCodes(
            f"Too many codes were asked for. Follow the link of the last mail, or ask for another code in"
            f" {-(-wait // 60)} minutes.",
            headers={"Retry-After": str(max(wait, 1))},
        )


async def redeem(conn: sql.Connection, code_id: UUID, code: str) -> UUID | None:
    """Try digits, or what a link holds, in a transaction, which is to be committed in any case: who reads the mail.

    Who has no account yet gets one, if registration admits the address, and `user.created` is recorded.
    """
    hash_, given = hash_token(str(code_id)), _hash(code_id, code)
    if len(code) == DIGITS:
        await sql.sign_in_codes.lock_sign_in_guesses(conn, hash=hash_, attempts=ATTEMPTS)
        tried = await sql.sign_in_codes.try_sign_in_code(
            conn, hash=hash_, code_hash=given, attempts=ATTEMPTS, for_address=ATTEMPTS_FOR_ADDRESS
        )
        email = tried["email"] if tried and tried["is_right"] else None
    else:
        email = await sql.sign_in_codes.use_sign_in_link(conn, hash=hash_, link_hash=given)
    if email is None:
        return None
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
    """What is kept of the digits, and of what the link holds.

    Six digits are soon found by trying; so it takes the id, of which only a hash is kept.
    """
    return blake2b(code.encode(), digest_size=32, key=code_id.bytes, person=b"ticketing.code").digest()
