"""How tokens and sessions end: at once, for good, and each with its event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from ticketing.access import authentication
from ticketing.db import sql
from ticketing.writing.change import Change


async def end(change: Change, token_ids: Sequence[UUID]) -> int:
    """End these tokens, which are locked, of which some may be sessions; how many had not ended before.

    Records `token.revoked` and `session.ended`.
    """
    revoked = await sql.tokens.revoke_tokens(change.conn, token_ids=list(token_ids))
    for token in revoked:
        change.record("token.revoked", token, previous={"revoked_at": None}, internal=True)
    ended = await sql.sessions.end_sessions(change.conn, session_ids=list(token_ids))
    for session in ended:
        row = {name: value for name, value in session.items() if name != "before"}
        change.record("session.ended", told(row), previous={"expires_at": session["before"]}, internal=True)
    authentication.forget(frozenset(token_ids))
    return len(revoked) + len(ended)


def told(session: Mapping[str, Any]) -> dict[str, Any]:
    """A session as its events have it: the log may be kept for ever, and so has no address."""
    return {**session, "address": None, "current": False}
