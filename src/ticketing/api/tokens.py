"""/tokens and /users/{user_id}/tokens"""

from typing import Any
from uuid import UUID

from ticketing.access.actors import Actor
from ticketing.api.answers import created, gone, listed
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.rules import tokens
from ticketing.writing import idempotency


async def create_token(body: dict[str, Any], actor: Actor, idempotency_key: str | None = None) -> Answer:
    claim = idempotency.claim(idempotency_key, "create_token", body)
    async with pool.connection() as conn, claim:
        token = await tokens.create(conn, actor, claim=claim, **body)
    return created(token, f"/tokens/{token['id']}", claim)


async def list_tokens(actor: Actor, limit: int = 25, cursor: str | None = None) -> Answer:
    async with pool.connection() as conn:
        page = await tokens.list_(conn, actor, limit=limit, cursor=cursor)
    return listed(page, "/tokens", limit=limit)


async def get_token(token_id: str, actor: Actor) -> Answer:
    async with pool.connection() as conn:
        return Answer(await tokens.get(conn, actor, UUID(token_id)))


async def revoke_token(token_id: str, actor: Actor, children: bool = False) -> Answer:
    async with pool.transaction() as conn:
        await tokens.revoke(conn, actor, UUID(token_id), children=children)
    return gone()


async def create_user_token(
    user_id: str, body: dict[str, Any], actor: Actor, idempotency_key: str | None = None
) -> Answer:
    claim = idempotency.claim(idempotency_key, "create_user_token", user_id, body)
    async with pool.connection() as conn, claim:
        token = await tokens.create_for(conn, actor, UUID(user_id), claim=claim, **body)
    return created(token, f"/users/{user_id}/tokens/{token['id']}", claim)


async def list_user_tokens(user_id: str, actor: Actor, limit: int = 25, cursor: str | None = None) -> Answer:
    async with pool.connection() as conn:
        page = await tokens.list_(conn, actor, UUID(user_id), limit=limit, cursor=cursor)
    return listed(page, f"/users/{user_id}/tokens", limit=limit)


async def get_user_token(user_id: str, token_id: str, actor: Actor) -> Answer:
    async with pool.connection() as conn:
        return Answer(await tokens.get(conn, actor, UUID(token_id), UUID(user_id)))


async def revoke_user_token(user_id: str, token_id: str, actor: Actor, children: bool = False) -> Answer:
    async with pool.transaction() as conn:
        await tokens.revoke(conn, actor, UUID(token_id), UUID(user_id), children=children)
    return gone()
