"""Tokens: what a user signs in with. Everyone keeps their own; admins also keep those of service accounts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuids

from ticketing import sealing
from ticketing.access import authentication, bearer, policy
from ticketing.access.actors import Actor, Caller
from ticketing.db import sql
from ticketing.ground import moments
from ticketing.ground.errors import ChangedMeanwhile, Invalid, NotAServiceAccount, SecretNotShown, UserInactive, found
from ticketing.rules import endings
from ticketing.writing import paging
from ticketing.writing.change import Change, changing
from ticketing.writing.idempotency import Claim

PREFIX_LENGTH = 12


async def create(
    conn: sql.Connection,
    actor: Actor,
    *,
    claim: Claim,
    name: str,
    scopes: Sequence[str],
    expires_at: str | None = None,
) -> dict[str, Any]:
    """Issue a token for oneself that can do no more, and lives no longer, than the one it is asked for with.

    The secret is in the answer. Beside an Idempotency-Key it is kept for the day in which the request may be repeated,
    sealed by what only who asked knows: the calling token's secret. As all that is repeated, it is answered as it was
    then: also with a token that was revoked meanwhile.
    Raises Forbidden, Invalid, Unauthenticated (what asks was revoked just now), ChangedMeanwhile.
    """
    assert actor.role
    return await _create(
        conn, actor, claim, user_id=actor.user_id, role=actor.role, name=name, scopes=scopes, expires_at=expires_at
    )


async def create_for(
    conn: sql.Connection,
    actor: Caller,
    user_id: UUID,
    *,
    claim: Claim,
    name: str,
    scopes: Sequence[str],
    expires_at: str | None = None,
) -> dict[str, Any]:
    """Issue a token for a service account, with the limits of `create`; admins only.

    Whoever has the command line can issue one for any active user, with whatever scopes their role has.
    Raises Forbidden, NotFound, Invalid, NotAServiceAccount, UserInactive, and as `create`.
    """
    policy.require_admin(actor)
    user = found(await sql.users.get_user(conn, user_id=user_id), f"user {user_id}")
    if isinstance(actor, Actor) and not user["service_account"]:
        raise NotAServiceAccount(
            "This user is a person, who makes their own tokens. Only service accounts can be given one."
        )
    if not user["active"]:
        raise UserInactive("This user is not active, and so can have no tokens.")
    return await _create(
        conn,
        actor,
        claim,
        user_id=user_id,
        role=user["role"],
        name=name,
        scopes=scopes,
        expires_at=expires_at,
    )


async def _create(
    conn: sql.Connection,
    actor: Caller,
    claim: Claim,
    *,
    user_id: UUID,
    role: sql.UserRole,
    name: str,
    scopes: Sequence[str],
    expires_at: str | None,
) -> dict[str, Any]:
    policy.check_scopes(actor, role, scopes)
    expiry = _expiry(actor, expires_at)
    secret = bearer.new_token()
    row = await sql.tokens.insert_token(
        conn,
        **claim.parameters(),
        actor_id=actor.id,
        token_id=uuids.uuid7(),
        user_id=user_id,
        role=role,
        created_by=actor.token_id,
        name=name,
        hash=bearer.hash_token(secret),
        prefix=secret[:PREFIX_LENGTH],
        scopes=list(scopes),
        expires_at=expiry,
        sealed=_sealed(actor, claim, secret),
    )
    if row:
        return {**row, "token": secret}
    if isinstance(actor, Actor):
        await authentication.verify(conn, actor)
    raise ChangedMeanwhile("The user has just been changed, so no token was made. Read the user, and send this again.")


async def with_secret(conn: sql.Connection, actor: Actor, claim: Claim, token: dict[str, Any]) -> dict[str, Any]:
    """A token as an earlier request made it, with its secret.

    Raises SecretNotShown for another token than asked then.
    """
    sealed = await sql.tokens.get_sealed_token(conn, event_id=claim.event_id)
    secret = sealing.unseal_for(actor.seed, sealed, _context(claim)) if sealed else None
    if secret is None:
        raise SecretNotShown(
            "This request was made with another token, or before an upgrade, so it cannot get the secret again."
        )
    return {**token, "token": secret.decode()}


def _sealed(actor: Caller, claim: Claim, secret: str) -> bytes | None:
    """The secret as it is kept for the case that the request is repeated."""
    if claim.key is None or not isinstance(actor, Actor):
        return None
    return sealing.seal_for(actor.seed, secret.encode(), _context(claim))


def _context(claim: Claim) -> bytes:
    return claim.event_id.bytes + (claim.key or "").encode()


def _expiry(actor: Caller, expires_at: str | None) -> datetime | None:
    ours = actor.token_expires_at
    if expires_at is None:
        if ours:
            raise Invalid.at(
                "#/expires_at", "required", f"Your own token expires at {moments.written(ours)}: so must this one."
            )
        return None
    try:
        moment = moments.parse(expires_at)
    except ValueError:
        raise Invalid.at("#/expires_at", "wrong_format", "This moment is out of range.", format="date-time") from None
    if moment <= (now := datetime.now(UTC)):
        raise Invalid.at("#/expires_at", "too_early", "This is in the past.", earliest=moments.written(now))
    if ours and moment > ours:
        raise Invalid.at(
            "#/expires_at",
            "too_late",
            f"Your own token expires before that, at {moments.written(ours)}.",
            latest=moments.written(ours),
        )
    return moment


async def list_(
    conn: sql.Connection,
    actor: Caller,
    user_id: UUID | None = None,
    *,
    limit: int = 25,
    cursor: str | None = None,
) -> paging.Page:
    """A page of one's own tokens, or for admins of any user's, oldest first.

    Raises Forbidden, NotFound, InvalidCursor.
    """
    owner = await _owner(conn, actor, user_id)
    listing = ["tokens", owner]
    (after,) = paging.opened(cursor, listing, UUID)
    rows = await sql.tokens.list_tokens(conn, user_id=owner, after=after, page_size=limit + 1)
    return paging.page(rows, limit, listing, lambda row: [row["id"]])


async def get(conn: sql.Connection, actor: Caller, token_id: UUID, user_id: UUID | None = None) -> sql.Token:
    """One of one's own tokens, or for admins of any user's. Raises Forbidden, NotFound."""
    owner = await _owner(conn, actor, user_id)
    return found(await sql.tokens.get_token(conn, token_id=token_id, user_id=owner), f"token {token_id}")


async def calling(conn: sql.Connection, actor: Actor) -> sql.Token:
    """The token that asks; a session is told as one, too. Raises NotFound if it has just gone."""
    assert actor.token_id
    if actor.session:
        return found(await sql.sessions.get_session_token(conn, session_id=actor.token_id), "such session")
    return await get(conn, actor, actor.token_id)


async def revoke(
    conn: sql.Connection,
    actor: Caller,
    token_id: UUID,
    user_id: UUID | None = None,
    *,
    children: bool = False,
) -> int:
    """End a token, in a transaction; with its children also what was made with it, and with that in turn.

    Everyone ends their own, though none that can do more than the one they call with; admins end any user's. Each
    token that ends has its `token.revoked`; those that had ended before do not count.
    Raises Forbidden, NotFound, InsufficientScope.
    """
    token = await get(conn, actor, token_id, user_id)
    if isinstance(actor, Actor) and user_id is None:
        policy.require_no_less(actor, token_id, token["scopes"])
    count = 0
    async with changing(conn, actor) as change:
        # What is made with one of these while it ends is there in the next round; after that nothing can be.
        while family := await sql.tokens.lock_token_family(conn, token_id=token_id, children=children):
            count += await endings.end(change, [token["id"] for token in family])
    return count


async def revoke_with(change: Change, user_id: UUID, scopes: Collection[str]) -> None:
    """End those tokens and sessions of a user, who is locked, that hold any of these scopes."""
    locked = await sql.tokens.lock_tokens_with(change.conn, user_id=user_id, scopes=list(scopes))
    await endings.end(change, [token["id"] for token in locked])


async def _owner(conn: sql.Connection, actor: Caller, user_id: UUID | None) -> UUID:
    """Whose tokens are meant: one's own unless a user is named. Raises Forbidden, NotFound."""
    if user_id is None:
        assert isinstance(actor, Actor)
        return actor.user_id
    policy.require_admin(actor)
    found(await sql.users.get_user(conn, user_id=user_id), f"user {user_id}")
    return user_id
