"""/tokens and /users/{user_id}/tokens"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ticketing.access.actors import Actor
from ticketing.api.answers import gone, listed
from ticketing.api.once import once
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.rules import tokens
from ticketing.writing.idempotency import Claim


@once(201, "/tokens/{id}", restored=tokens.with_secret)
async def create_token(body: dict[str, Any], actor: Actor, claim: Claim) -> Mapping[str, Any]:
    async with pool.connection() as conn, claim:
        return await tokens.create(conn, actor, claim=claim, **body)


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


@once(201, "/users/{user_id}/tokens/{id}", restored=tokens.with_secret)
async def create_user_token(user_id: str, body: dict[str, Any], actor: Actor, claim: Claim) -> Mapping[str, Any]:
    async with pool.connection() as conn, claim:
        return await tokens.create_for(conn, actor, UUID(user_id), claim=claim, **body)


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
