"""Permits: for a fraction of a second at a time, who may still listen is sent what they may see."""

from __future__ import annotations

import time
from collections.abc import Iterable

from ticketing.access import authentication
from ticketing.db import pool, sql
from ticketing.log.streams.listener import Listener

PERMIT_SECONDS = 0.6
"""How long a stream is sent to after its permit was asked for; then it waits for the next. With hub.TICK_SECONDS it is
less than the second after which, by the contract, nothing is sent any more."""


async def renew(listeners: Iterable[Listener]) -> None:
    """Ask once which of these streams may go on; permit those, and cut the others."""
    asked = list(listeners)
    held = list({(listener.actor.token_id, listener.actor.rights) for listener in asked})
    async with pool.connection() as conn:
        began = time.monotonic()
        rows = await sql.tokens.list_ended_tokens(
            conn,
            token_ids=[token_id for token_id, _ in held if token_id],
            rights=[rights for token_id, rights in held if token_id],
        )
    ended = {(row["token_id"], row["rights"]) for row in rows}
    if ended:
        authentication.forget({row["token_id"] for row in rows if row["token_id"]})
    for listener in asked:
        if (listener.actor.token_id, listener.actor.rights) in ended:
            listener.cut()
        else:
            listener.permit(began + PERMIT_SECONDS)
