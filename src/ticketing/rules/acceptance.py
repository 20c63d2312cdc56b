"""Accepting an invitation: whoever holds its link becomes a user with its role, once."""

from __future__ import annotations

from uuid import UUID

import uuid_utils.compat as uuids
from psycopg.errors import UniqueViolation

from ticketing.access import policy
from ticketing.access.actors import Actor
from ticketing.access.bearer import hash_token
from ticketing.db import sql
from ticketing.ground.errors import ChangedMeanwhile, SignInRefused, found
from ticketing.rules import users
from ticketing.writing.change import changing
from ticketing.writing.idempotency import Claim


async def accept(conn: sql.Connection, secret: str, *, name: str | None = None) -> sql.User:
    """Accept an invitation in a transaction, and record `invitation.accepted`; gives the user who is signed in by it.

    A new user is recorded as `user.created`. One who was deactivated is active again, with the invitation's role, and
    one who came by another way meanwhile gets it if it has more rights than theirs: that is recorded as `user.updated`.
    Raises SignInRefused (the link is unknown, was used, revoked, replaced, or is too old), ChangedMeanwhile.
    """
    seen = await sql.invitations.get_invitation_by_hash(conn, hash=hash_token(secret))
    if seen is None:
        raise _refusal()
    # The user before the invitation, as who deactivates a user locks them.
    user = await sql.users.lock_user_by_email(conn, email=seen["email"])
    invitation = await sql.invitations.lock_invitation_by_hash(conn, hash=hash_token(secret))
    if invitation is None or invitation["status"] != "pending" or (user and user["service_account"]):
        raise _refusal()
    if user is None:
        user = await _added(conn, invitation, name or invitation["name"])
    else:
        user = await _admitted(conn, invitation, user, name or user["name"])
    async with changing(conn, Actor(id=user["id"])) as change:
        accepted = found(
            await sql.invitations.accept_invitation(conn, invitation_id=invitation["id"], user_id=user["id"]),
            "invitation",
        )
        previous = {"status": "pending", "user": None, "accepted_at": None}
        change.record("invitation.accepted", accepted, previous=previous, internal=True)
    return user


async def _added(conn: sql.Connection, invitation: sql.Invitation, name: str) -> sql.User:
    user_id = uuids.uuid7()
    try:
        user = await sql.users.insert_user(
            conn,
            **Claim().parameters(),
            actor_id=user_id,
            user_id=user_id,
            name=name,
            email=invitation["email"],
            role=invitation["role"],
            service_account=False,
        )
    except UniqueViolation:
        raise ChangedMeanwhile("A user with this e-mail address was added just now. Send this again.") from None
    await _settle(conn, invitation, user_id)
    return found(user, f"user {user_id}")


async def _admitted(conn: sql.Connection, invitation: sql.Invitation, user: sql.User, name: str) -> sql.User:
    """Somebody who was a user before, is locked, and has what the invitation gives now."""
    gains = not user["active"] or policy.promoted(user["role"], invitation["role"])
    role = invitation["role"] if gains else user["role"]
    async with changing(conn, Actor(id=user["id"])) as change:
        admitted = await users.alter(change, user, {"name": name, "email": user["email"], "role": role, "active": True})
    if gains:
        await _settle(conn, invitation, user["id"])
    return admitted


async def _settle(conn: sql.Connection, invitation: sql.Invitation, user_id: UUID) -> None:
    await sql.users.settle_user(
        conn, user_id=user_id, locale=invitation["locale"], projects=list(invitation["projects"] or ())
    )


def _refusal() -> SignInRefused:
    """The same for all reasons: who has no link that holds is told nothing of who is invited."""
    return SignInRefused(
        "This invitation does not hold: it was used or revoked, another one was sent, or it is too old. Ask whoever"
        " invited you to send it again."
    )
