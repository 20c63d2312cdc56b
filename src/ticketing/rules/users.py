"""Users: people and machines, with or without a way to sign in. No actor: whoever has the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuids
from psycopg.errors import CheckViolation, UniqueViolation

from ticketing.access import policy, scopes
from ticketing.access.actors import Actor, Caller
from ticketing.db import sql
from ticketing.ground.errors import AlreadyExists, Invalid, LastAdmin, OwnRights, found
from ticketing.rules import endings, invitations, tokens
from ticketing.writing import idempotency, paging, patches, preconditions
from ticketing.writing.change import Change, changing
from ticketing.writing.idempotency import Claim

FIELDS = ("name", "email", "role", "active")
"""What of a user can be changed."""


async def create(
    conn: sql.Connection,
    actor: Caller,
    *,
    claim: Claim,
    name: str,
    email: str | None = None,
    role: sql.UserRole = "requester",
    service_account: bool = False,
) -> sql.User:
    """Add a user and record `user.created`; admins only. Raises Forbidden, AlreadyExists."""
    policy.require_admin(actor)
    try:
        user = await sql.users.insert_user(
            conn,
            **claim.parameters(),
            actor_id=actor.id,
            user_id=uuids.uuid7(),
            name=name,
            email=email,
            role=role,
            service_account=service_account,
        )
    except UniqueViolation:
        raise AlreadyExists(f"There is a user with the e-mail address {email}.") from None
    return idempotency.done(user)


async def find_or_add(
    conn: sql.Connection, actor: Actor, *, id: str | None = None, email: str | None = None, name: str | None = None
) -> UUID:
    """The id of a requester that an agent names, by id or by e-mail; adds whoever writes for the first time."""
    if id is not None:
        user = await sql.users.get_user(conn, user_id=UUID(id))
        if user is None or not user["active"]:
            raise Invalid.at("#/requester/id", "unknown", "There is no active user with this id.")
        return UUID(str(user["id"]))
    assert email is not None
    added = await sql.users.add_requester(
        conn,
        event_id=uuids.uuid7(),
        actor_id=actor.user_id,
        user_id=uuids.uuid7(),
        # A name is shown to people who may not know the address.
        name=name or email.partition("@")[0],
        email=email,
    )
    user = added or await sql.users.get_user_by_email(conn, email=email)
    if user is None or not user["active"]:
        raise Invalid.at("#/requester/email", "unknown", "The user with this e-mail address is not active.")
    return UUID(str(user["id"]))


async def list_(
    conn: sql.Connection,
    actor: Caller,
    *,
    role: list[sql.UserRole] | None = None,
    active: bool | None = None,
    service_account: bool | None = None,
    name: str | None = None,
    email: str | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> paging.Page:
    """A page of the users who match all filters, in the order in which they were added; staff only.

    `name` is a part of a name or e-mail address. Raises Forbidden, InvalidCursor.
    """
    policy.require_staff(actor)
    wanted: dict[str, Any] = {
        "role": role,
        "active": active,
        "service_account": service_account,
        "name": name,
        "email": email,
    }
    listing = ["users", wanted]
    (after,) = paging.opened(cursor, listing, UUID)
    rows = await sql.users.list_users(conn, **wanted, after=after, page_size=limit + 1)
    return paging.page(rows, limit, listing, lambda row: [row["id"]])


async def get(conn: sql.Connection, actor: Caller, user_id: UUID) -> sql.User:
    """A user: oneself, or for staff anyone. Raises NotFound."""
    seen = actor.staffs_any or user_id == actor.id
    return found(await sql.users.get_user(conn, user_id=user_id) if seen else None, f"user {user_id}")


async def update(
    conn: sql.Connection, actor: Caller, user_id: UUID, patch: Mapping[str, Any], *, if_match: str | None = None
) -> sql.User:
    """Apply a merge patch in a transaction and record `user.updated`; admins only.

    Who is deactivated loses all tokens for good, and so does who is promoted: none comes to do more than it was made
    for. With a lower role go those that hold a scope beyond it. Each has its `token.revoked`.
    With another address go the sessions that were begun by reading the mail of the one before, but for that which asks.
    Raises Forbidden, NotFound, PreconditionFailed, AlreadyExists, OwnRights, LastAdmin, Invalid.
    """
    policy.require_admin(actor)
    user = found(await sql.users.lock_user(conn, user_id=user_id), f"user {user_id}")
    matched = preconditions.match(if_match, user, FIELDS, patch)
    patch = patches.changeable(patch, user, FIELDS, matched=matched)
    if patch.get("email", "") is None and user["email"] is not None:
        raise Invalid.at("#/email", "required", "An e-mail address can be changed, but not taken away.")
    if user_id == actor.id and (patch.get("role", "admin") != "admin" or not patch.get("active", True)):
        raise OwnRights("You cannot take your own rights away. Ask another admin.")
    async with changing(conn, actor) as change:
        updated = await alter(change, user, {name: patch.get(name, user[name]) for name in FIELDS})  # type: ignore[literal-required]
        if updated["email"] != user["email"]:
            locked = await sql.sessions.lock_sessions(conn, user_id=user_id, session_id=None, but=actor.token_id)
            await endings.end(change, [row["id"] for row in locked])
    return updated


async def alter(change: Change, user: sql.User, wanted: Mapping[str, Any]) -> sql.User:
    """Have the fields of a user, who is locked, hold what is wanted; record `user.updated` if that is something else.

    Ends the tokens that `update` says, the invitations by an admin who is none any more, and those to who is
    deactivated. Raises AlreadyExists, LastAdmin.
    """
    previous = {name: user[name] for name in FIELDS if wanted[name] != user[name]}  # type: ignore[literal-required]
    if not previous:
        return user
    try:
        updated = found(await sql.users.update_user(change.conn, user_id=user["id"], **wanted), f"user {user['id']}")
    except UniqueViolation:
        raise AlreadyExists(f"There is another user with the e-mail address {wanted['email']}.") from None
    except CheckViolation as error:
        if error.diag.constraint_name != "an_admin_is_left":
            raise
        raise LastAdmin("This is the last active admin. Make somebody else an admin first.") from None
    change.record("user.updated", updated, previous=previous, internal=True)
    before, after = _scopes(user), _scopes(wanted)
    if ended := before | after if policy.promoted(user["role"], wanted["role"]) else before ^ after:
        await tokens.revoke_with(change, user["id"], ended)
    if before - after:
        await invitations.revoke_with(
            change,
            created_by=user["id"] if "admin" in before - after else None,
            email=None if wanted["active"] else user["email"],
        )
    return updated


def _scopes(user: Mapping[str, Any]) -> frozenset[str]:
    """What a user's tokens can do at most."""
    return frozenset(scopes.OF_ROLE.get(user["role"], ()) if user["active"] else ())
