"""/views and /view-counts"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ticketing.access.actors import Actor
from ticketing.api.answers import gone, listed
from ticketing.api.once import once
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.rules import views
from ticketing.writing.idempotency import Claim


@once(201, "/views/{id}")
async def create_view(body: dict[str, Any], actor: Actor, claim: Claim) -> Mapping[str, Any]:
    async with pool.transaction() as conn, claim:
        return await views.create(conn, actor, claim=claim, **body)


async def list_views(actor: Actor, limit: int = 25, cursor: str | None = None) -> Answer:
    async with pool.connection() as conn:
        page = await views.list_(conn, actor, limit=limit, cursor=cursor)
    return listed(page, "/views", limit=limit)


async def get_view(view_id: str, actor: Actor) -> Answer:
    async with pool.connection() as conn:
        return Answer(await views.get(conn, actor, UUID(view_id)))


async def update_view(view_id: str, body: dict[str, Any], actor: Actor, if_match: str | None = None) -> Answer:
    async with pool.transaction() as conn:
        return Answer(await views.update(conn, actor, UUID(view_id), body, if_match=if_match))


async def delete_view(view_id: str, actor: Actor, if_match: str | None = None) -> Answer:
    async with pool.transaction() as conn:
        await views.delete(conn, actor, UUID(view_id), if_match=if_match)
    return gone()


async def get_view_counts(actor: Actor, view_id: list[str] | None = None) -> Answer:
    async with pool.asking() as conn:
        return Answer(await views.counts(conn, actor, view_id))
