"""/ops/v1/mails"""

from __future__ import annotations

from uuid import UUID

from ticketing.access.actors import Actor
from ticketing.api.answers import listed, sent
from ticketing.contract import Answer
from ticketing.db import pool, sql
from ticketing.ground import paths
from ticketing.rules import mails


async def list_mails(
    actor: Actor,
    limit: int = 25,
    cursor: str | None = None,
    status: list[sql.MailStatus] | None = None,
    template: list[str] | None = None,
    to: str | None = None,
) -> Answer:
    given = sent(status=status, template=template, to=to, limit=limit)
    async with pool.connection() as conn:
        page = await mails.list_(conn, actor, cursor=cursor, **given)
    return listed(page, "/mails", below=paths.OPS, **given)


async def get_mail(mail_id: str, actor: Actor) -> Answer:
    async with pool.connection() as conn:
        return Answer(await mails.get(conn, actor, UUID(mail_id)))
