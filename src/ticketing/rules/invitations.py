"""Invitations: an admin asks somebody by mail to join with a role. `acceptance` is what becomes of one in the end."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

import uuid_utils.compat as uuids

from ticketing import mail
from ticketing.access import policy
from ticketing.access.actors import Actor, Caller
from ticketing.access.bearer import hash_token
from ticketing.db import sql
from ticketing.ground import links
from ticketing.ground.config import settings
from ticketing.ground.errors import AlreadyExists, Invalid, InvitationEnded, found
from ticketing.rules.projects import check_keys
from ticketing.writing import paging
from ticketing.writing.change import Change, changing
from ticketing.writing.idempotency import Claim

PREFIX = "inv_"
SECRET_BYTES = 24
"""Of what a link holds, at random: 192 bits."""


async def create(
    conn: sql.Connection,
    actor: Caller,
    *,
    claim: Claim,
    email: str,
    name: str,
    role: sql.UserRole = "requester",
    projects: Sequence[str] = (),
    locale: str = "",
) -> tuple[sql.Invitation, str]:
    """Invite somebody in a transaction, and record `invitation.created`; admins only. Gives the link as well.

    Raises Forbidden, AlreadyExists, Invalid.
    """
    policy.require_admin(actor)
    await _check_projects(conn, role, projects)
    secret = new_secret()
    async with changing(conn, actor, claim) as change:
        known = await sql.users.get_user_by_email(conn, email=email)
        if known and known["service_account"]:
            raise AlreadyExists(f"{email} is the address of a service account, and nobody can sign in as one.")
        if known and known["active"]:
            raise AlreadyExists(f"There is an active user with the e-mail address {email}. Change their role instead.")
        invitation = await sql.invitations.insert_invitation(
            conn,
            invitation_id=uuids.uuid7(),
            email=email,
            name=name,
            role=role,
            projects=list(projects),
            locale=locale,
            hash=hash_token(secret),
            created_by=actor.id,
            days=settings().invitation_days,
        )
        if invitation is None:
            raise AlreadyExists(f"{email} is invited already. Send that invitation again, or revoke it first.")
        change.record("invitation.created", invitation, internal=True)
        link = await _send(conn, actor, invitation, secret)
    return invitation, link


async def list_(
    conn: sql.Connection,
    actor: Caller,
    *,
    status: list[str] | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> paging.Page:
    """A page of invitations in the order in which they were made; admins only. Raises Forbidden, InvalidCursor."""
    policy.require_admin(actor)
    listing = ["invitations", {"status": status}]
    (after,) = paging.opened(cursor, listing, UUID)
    rows = await sql.invitations.list_invitations(conn, status=status, after=after, page_size=limit + 1)
    return paging.page(rows, limit, listing, lambda row: [row["id"]])


async def get(conn: sql.Connection, actor: Caller, invitation_id: UUID) -> sql.Invitation:
    """One invitation; admins only. Raises Forbidden, NotFound."""
    policy.require_admin(actor)
    row = await sql.invitations.get_invitation(conn, invitation_id=invitation_id)
    return found(row, f"invitation {invitation_id}")


async def resend(conn: sql.Connection, actor: Caller, invitation_id: UUID, *, claim: Claim) -> sql.Invitation:
    """Send an invitation again in a transaction, with another link, and record `invitation.resent`; admins only.

    Raises Forbidden, NotFound, InvitationEnded.
    """
    policy.require_admin(actor)
    secret = new_secret()
    async with changing(conn, actor, claim) as change:
        invitation = await _locked(conn, invitation_id)
        if invitation["status"] in ("accepted", "revoked"):
            raise InvitationEnded(f"This invitation was {invitation['status']}, so it is not sent again.")
        renewed = found(
            await sql.invitations.renew_invitation(
                conn, invitation_id=invitation_id, hash=hash_token(secret), days=settings().invitation_days
            ),
            f"invitation {invitation_id}",
        )
        previous = {"sent_at": invitation["sent_at"], "expires_at": invitation["expires_at"]}
        change.record("invitation.resent", renewed, previous=previous, internal=True)
        await _send(conn, actor, renewed, secret)
    return renewed


async def revoke(conn: sql.Connection, actor: Caller, invitation_id: UUID) -> None:
    """End an invitation in a transaction, and record `invitation.revoked`, unless it was revoked before; admins only.

    Raises Forbidden, NotFound, InvitationEnded.
    """
    policy.require_admin(actor)
    async with changing(conn, actor) as change:
        invitation = await _locked(conn, invitation_id)
        if invitation["status"] == "accepted":
            raise InvitationEnded("This invitation was accepted. Deactivate the user instead.")
        await _end(change, [invitation_id])


async def revoke_with(change: Change, *, created_by: UUID | None, email: str | None) -> None:
    """End the invitations by a user who is no admin any more, and those to the address of one who is deactivated."""
    ended = await sql.invitations.lock_open_invitations(change.conn, created_by=created_by, email=email)
    await _end(change, [row["id"] for row in ended])


async def _end(change: Change, invitation_ids: Sequence[UUID]) -> None:
    for invitation in await sql.invitations.revoke_invitations(change.conn, invitation_ids=list(invitation_ids)):
        change.record("invitation.revoked", invitation, previous={"revoked_at": None}, internal=True)


async def _locked(conn: sql.Connection, invitation_id: UUID) -> sql.Invitation:
    row = await sql.invitations.lock_invitation(conn, invitation_id=invitation_id)
    return found(row, f"invitation {invitation_id}")


async def _check_projects(conn: sql.Connection, role: sql.UserRole, keys: Sequence[str]) -> None:
    """Refuse projects that are not there, and those for who cannot staff some alone. Raises Invalid."""
    if not keys:
        return
    if role != "agent":
        raise Invalid.at(
            "#/projects", "incompatible", "Only agents staff some projects: admins staff all, requesters none."
        )
    await check_keys(conn, keys)


async def _send(conn: sql.Connection, actor: Caller, invitation: sql.Invitation, secret: str) -> str:
    """Send the mail, if the transaction commits; gives the link that it holds."""
    link = links.of_invitation(secret)
    site = urlsplit(settings().public_url).hostname or ""
    await mail.send(
        conn,
        template="invitation",
        to=mail.Address(invitation["name"], invitation["email"]),
        locale=invitation["locale"],
        values={
            "inviter": actor.name if isinstance(actor, Actor) else site,
            "url": link,
            "days": settings().invitation_days,
        },
        expires_at=datetime.fromisoformat(invitation["expires_at"]),
    )
    return link


def new_secret() -> str:
    """What the link of an invitation holds."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)
