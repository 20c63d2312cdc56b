"""/sign-in-codes"""

from __future__ import annotations

from typing import Any

from ticketing import mail
from ticketing.contract import Answer, Exchange
from ticketing.contract.forwarded import site, subscriber
from ticketing.db import pool
from ticketing.rules import sign_in_codes

MOST_LANGUAGES = 10


async def create_sign_in_code(body: dict[str, Any], exchange: Exchange) -> Answer:
    address = exchange.origin.address
    asker = sign_in_codes.Asker(subscriber(address), site(address))
    async with pool.transaction() as conn:
        code = await sign_in_codes.create(conn, body["email"], asker=asker, language=_language(exchange))
    return Answer(code, 202)


def _language(exchange: Exchange) -> str:
    """The first language of the browser that mails are written in (RFC 9110, 12.5.4); browsers send theirs in order."""
    said = exchange.headers.get(b"accept-language", b"").decode("latin-1").split(",", MOST_LANGUAGES)[:MOST_LANGUAGES]
    wanted = (each.partition(";")[0].strip().partition("-")[0].lower() for each in said)
    return next((language for language in wanted if language in mail.LOCALES), "")
