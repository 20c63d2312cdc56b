"""Mails: what an operator sees of what people are sent."""

from __future__ import annotations

from uuid import UUID

from ticketing.access import policy
from ticketing.access.actors import Caller
from ticketing.db import sql
from ticketing.ground.errors import found
from ticketing.writing import paging


async def list_(
    conn: sql.Connection,
    actor: Caller,
    *,
    status: list[sql.MailStatus] | None = None,
    template: list[str] | None = None,
    to: str | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> paging.Page:
    """A page of mails, newest first. Raises Forbidden, InvalidCursor."""
    policy.require_admin(actor)
    listing = ["mails", status, template, to]
    (after,) = paging.opened(cursor, listing, UUID)
    rows = await sql.mails.list_mails(conn, status=status, template=template, to=to, after=after, page_size=limit + 1)
    return paging.page(rows, limit, listing, lambda row: [row["id"]])


async def get(conn: sql.Connection, actor: Caller, mail_id: UUID) -> sql.MailDetail:
    """A mail; one that was captured with what it says. Raises Forbidden, NotFound."""
    policy.require_admin(actor)
    return found(await sql.mails.get_mail(conn, mail_id=mail_id), f"mail {mail_id}")
