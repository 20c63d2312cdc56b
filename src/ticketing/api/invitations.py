"""/invitations"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ticketing.access.actors import Actor
from ticketing.api.answers import gone, listed, sent
from ticketing.api.once import once
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.rules import invitations
from ticketing.writing.idempotency import Claim


@once(201, "/invitations/{id}")
async def create_invitation(body: dict[str, Any], actor: Actor, claim: Claim) -> Mapping[str, Any]:
    async with pool.transaction() as conn, claim:
        invitation, _ = await invitations.create(conn, actor, claim=claim, **body)
    return invitation


async def list_invitations(
    actor: Actor, status: list[str] | None = None, limit: int = 25, cursor: str | None = None
) -> Answer:
    given = sent(status=status, limit=limit)
    async with pool.connection() as conn:
        page = await invitations.list_(conn, actor, cursor=cursor, **given)
    return listed(page, "/invitations", **given)


async def get_invitation(invitation_id: str, actor: Actor) -> Answer:
    async with pool.connection() as conn:
        return Answer(await invitations.get(conn, actor, UUID(invitation_id)))


@once(202)
async def resend_invitation(invitation_id: str, actor: Actor, claim: Claim) -> Mapping[str, Any]:
    async with pool.transaction() as conn, claim:
        return await invitations.resend(conn, actor, UUID(invitation_id), claim=claim)


async def revoke_invitation(invitation_id: str, actor: Actor) -> Answer:
    async with pool.transaction() as conn:
        await invitations.revoke(conn, actor, UUID(invitation_id))
    return gone()
