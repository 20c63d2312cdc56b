"""/tickets/{number}/comments"""

from typing import Any
from uuid import UUID

from ticketing.access.actors import Actor
from ticketing.api.answers import created, gone, listed
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.rules import comments
from ticketing.writing import idempotency


async def create_comment(number: int, body: dict[str, Any], actor: Actor, idempotency_key: str | None = None) -> Answer:
    claim = idempotency.claim(idempotency_key, "create_comment", number, body)
    async with pool.connection() as conn, claim:
        comment = await comments.create(conn, actor, number, claim=claim, **body)
    return created(comment, f"/tickets/{number}/comments/{comment['id']}", claim)


async def list_comments(number: int, actor: Actor, limit: int = 25, cursor: str | None = None) -> Answer:
    async with pool.connection() as conn:
        page = await comments.list_(conn, actor, number, limit=limit, cursor=cursor)
    return listed(page, f"/tickets/{number}/comments", limit=limit)


async def get_comment(number: int, comment_id: str, actor: Actor) -> Answer:
    async with pool.connection() as conn:
        return Answer(await comments.get(conn, actor, number, UUID(comment_id)))


async def update_comment(
    number: int, comment_id: str, body: dict[str, Any], actor: Actor, if_match: str | None = None
) -> Answer:
    async with pool.transaction() as conn:
        return Answer(await comments.update(conn, actor, number, UUID(comment_id), body, if_match=if_match))


async def delete_comment(number: int, comment_id: str, actor: Actor, if_match: str | None = None) -> Answer:
    async with pool.transaction() as conn:
        await comments.delete(conn, actor, number, UUID(comment_id), if_match=if_match)
    return gone()
