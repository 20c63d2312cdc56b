"""Stream passes, for browsers that cannot send a header. Each is good once, for some seconds."""

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
"""How long a pass waits for its stream to be opened."""


StreamPass = TypedDict("StreamPass", {"pass": str, "expires_at": str})
"""What its maker is told of a pass, once."""


async def create(conn: sql.Connection, actor: Actor) -> StreamPass:
    """Make a pass that stands for the token that the actor signed in with."""
    assert actor.token_id is not None
    stream_pass = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    expires_at = await sql.stream_passes.insert_stream_pass(
        conn, hash=hash_token(stream_pass), token_id=actor.token_id, seconds=SECONDS
    )
    assert expires_at is not None
    return {"pass": stream_pass, "expires_at": expires_at}


async def find(stream_pass: str) -> Actor:
    """The actor that an unused pass stands for, with the rights that its token has by now.

    Raises InvalidToken, which says why there is none, and Unavailable.
    """
    if len(stream_pass) != LENGTH or not stream_pass.startswith(PREFIX):
        raise InvalidToken("malformed")
    async with pool.connection() as conn:
        row = await sql.stream_passes.get_stream_pass(conn, hash=hash_token(stream_pass))
    if row is None or row["refusal"]:
        raise InvalidToken((row and row["refusal"]) or "unknown", looked_up=True)
    return signed_in(row, seed=b"")


async def use(stream_pass: str) -> bool:
    """Use a pass up, when its stream begins; of two requests at once, one gets True. Raises Unavailable."""
    async with pool.connection() as conn:
        return bool(await sql.stream_passes.delete_stream_pass(conn, hash=hash_token(stream_pass)))
