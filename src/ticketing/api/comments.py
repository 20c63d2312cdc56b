"""/tickets/{number}/comments"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ticketing.access.actors import Actor
from ticketing.api.answers import gone, listed, sent
from ticketing.api.once import once
from ticketing.api.rendered import Render, rendered, rendered_page
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.rules import comments
from ticketing.writing.idempotency import Claim


@once(201, "/tickets/{number}/comments/{id}", restored=comments.as_created)
async def create_comment(number: int, body: dict[str, Any], actor: Actor, claim: Claim) -> Mapping[str, Any]:
    async with pool.connection() as conn, claim:
        return await comments.create(conn, actor, number, claim=claim, **body)


async def list_comments(
    number: int,
    actor: Actor,
    render: Render = None,
    sort: str = "created",
    limit: int = 25,
    cursor: str | None = None,
) -> Answer:
    async with pool.connection() as conn:
        page = await comments.list_(conn, actor, number, sort=sort, limit=limit, cursor=cursor)
    shown = await rendered_page(render, page)
    return listed(shown, f"/tickets/{number}/comments", **sent(render=render, sort=sort, limit=limit))


async def get_comment(number: int, comment_id: str, actor: Actor, render: Render = None) -> Answer:
    async with pool.connection() as conn:
        comment = await comments.get(conn, actor, number, UUID(comment_id))
    await rendered(render, comment)
    return Answer(comment)


async def update_comment(
    number: int, comment_id: str, body: dict[str, Any], actor: Actor, if_match: str | None = None
) -> Answer:
    async with pool.transaction() as conn:
        return Answer(await comments.update(conn, actor, number, UUID(comment_id), body, if_match=if_match))


async def delete_comment(number: int, comment_id: str, actor: Actor, if_match: str | None = None) -> Answer:
    async with pool.transaction() as conn:
        await comments.delete(conn, actor, number, UUID(comment_id), if_match=if_match)
    return gone()
