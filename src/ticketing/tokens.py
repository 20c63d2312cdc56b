"""Tokens: what a user signs in with. Everyone keeps their own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuids

from ticketing import auth, idempotency, moments, paging, sql
from ticketing.auth import Actor
from ticketing.errors import Conflict, Forbidden, Invalid, found
from ticketing.idempotency import Claim

PREFIX_LENGTH = 12


async def create(
    conn: sql.Connection,
    actor: Actor,
    *,
    claim: Claim,
    name: str,
    scopes: Sequence[sql.TokenScope],
    expires_at: str | None = None,
) -> dict[str, Any]:
    """Issue a token for oneself that can do no more, and lives no longer, than the one it is asked for with.

    The secret is in the answer and nowhere else. It follows from the calling token and the event's id, so that a
    request repeated with its Idempotency-Key gets the same secret although it is not stored.
    Raises Forbidden, Invalid, KeyReused, Conflict (repeated with another token).
    """
    beyond = [scope for scope in scopes if scope not in actor.scopes]
    if beyond:
        raise Forbidden(
            f"Your own token does not have the scope {beyond[0]}.",
            errors=[{"detail": "A token cannot give away more than it may do itself.", "pointer": "#/scopes"}],
        )
    expiry = _expiry(actor, expires_at)
    secret = auth.derived_token(actor, claim.event_id)
    row = await insert(
        conn, actor.id, secret, claim=claim, actor_id=actor.id, name=name, scopes=scopes, expires_at=expiry
    )
    if row:
        return {**row, "token": secret}
    answer = await idempotency.replay(conn, actor, claim)
    if answer is None:
        raise Conflict("The Idempotency-Key expired while the token was issued. Send the request again.")
    secret = auth.derived_token(actor, claim.event_id)
    if answer["prefix"] != secret[:PREFIX_LENGTH]:
        raise Conflict("This request was made with another token; only that one can be told the secret again.")
    return {**answer, "token": secret}


async def insert(
    conn: sql.Connection,
    user_id: UUID,
    secret: str,
    *,
    claim: Claim,
    actor_id: UUID | None,
    name: str,
    scopes: Sequence[sql.TokenScope],
    expires_at: datetime | None = None,
) -> sql.Token | None:
    """Keep a token for a user and record `token.created`. None: the claimed key is taken."""
    return await sql.tokens.insert_token(
        conn,
        **claim.parameters(),
        actor_id=actor_id,
        token_id=uuids.uuid7(),
        user_id=user_id,
        name=name,
        hash=auth.hash_token(secret),
        prefix=secret[:PREFIX_LENGTH],
        scopes=list(scopes),
        expires_at=expires_at,
    )


def _expiry(actor: Actor, expires_at: str | None) -> datetime | None:
    ours = actor.token_expires_at
    if expires_at is None:
        if ours:
            raise Invalid.at("#/expires_at", f"Your own token expires at {ours.isoformat()}: so must this one.")
        return None
    try:
        moment = moments.parse(expires_at)
    except ValueError:
        raise Invalid.at("#/expires_at", "This moment is out of range.") from None
    if moment <= datetime.now(UTC):
        raise Invalid.at("#/expires_at", "This is in the past.")
    if ours and moment > ours:
        raise Invalid.at("#/expires_at", f"Your own token expires before that, at {ours.isoformat()}.")
    return moment


async def list_(conn: sql.Connection, actor: Actor, *, limit: int = 25, cursor: str | None = None) -> paging.Page:
    """A page of one's own tokens, oldest first. Raises InvalidCursor."""
    listing = ["tokens", actor.id]
    (after,) = paging.opened(cursor, listing, UUID)
    rows = await sql.tokens.list_tokens(conn, user_id=actor.id, after=after, page_size=limit + 1)
    return paging.page(rows, limit, listing, lambda row: [row["id"]])


async def get(conn: sql.Connection, actor: Actor, token_id: UUID) -> sql.Token:
    """One of one's own tokens. Raises NotFound."""
    return found(await sql.tokens.get_token(conn, token_id=token_id, user_id=actor.id), f"token {token_id}")


async def revoke(conn: sql.Connection, actor: Actor, token_id: UUID) -> None:
    """End one of one's own tokens and record `token.revoked`; again is no change. Raises NotFound."""
    row = await sql.tokens.revoke_token(
        conn, event_id=uuids.uuid7(), actor_id=actor.id, token_id=token_id, user_id=actor.id
    )
    if row is None:
        await get(conn, actor, token_id)
    auth.forget(token_id)
