"""Tickets for streams, for browsers that cannot send a header. Each is good once, for some seconds."""

from __future__ import annotations

import secrets
from typing import TypedDict

from ticketing.access.actors import Actor, signed_in
from ticketing.access.bearer import hash_token
from ticketing.contract import InvalidToken
from ticketing.db import pool, sql

PREFIX = "sse_"
SECRET_BYTES = 24
LENGTH = len(PREFIX) + SECRET_BYTES * 4 // 3
SECONDS = 30
"""How long a ticket waits for its stream to be opened."""


class StreamTicket(TypedDict):
    """What its maker is told of a ticket, once."""

    ticket: str
    expires_at: str


async def create(conn: sql.Connection, actor: Actor) -> StreamTicket:
    """Make a ticket that stands for the token that the actor signed in with."""
    assert actor.token_id is not None
    ticket = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    expires_at = await sql.stream_tickets.insert_stream_ticket(
        conn, hash=hash_token(ticket), token_id=actor.token_id, seconds=SECONDS
    )
    assert expires_at is not None
    return {"ticket": ticket, "expires_at": expires_at}


async def find(ticket: str) -> Actor:
    """The actor that an unused ticket stands for, with the rights that its token has by now.

    Raises InvalidToken, which says why there is none, and Unavailable.
    """
    if len(ticket) != LENGTH or not ticket.startswith(PREFIX):
        raise InvalidToken("malformed")
    async with pool.connection() as conn:
        row = await sql.stream_tickets.get_stream_ticket(conn, hash=hash_token(ticket))
    if row is None or row["refusal"]:
        raise InvalidToken((row and row["refusal"]) or "unknown", looked_up=True)
    return signed_in(row, seed=b"")


async def use(ticket: str) -> bool:
    """Use a ticket up, when its stream begins; of two requests at once, one gets True. Raises Unavailable."""
    async with pool.connection() as conn:
        return bool(await sql.stream_tickets.delete_stream_ticket(conn, hash=hash_token(ticket)))
