"""/users"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ticketing.access.actors import Actor
from ticketing.api.answers import listed, sent
from ticketing.api.once import once
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.rules import users
from ticketing.writing.idempotency import Claim


@once(201, "/users/{id}")
async def create_user(body: dict[str, Any], actor: Actor, claim: Claim) -> Mapping[str, Any]:
    async with pool.connection() as conn, claim:
        return await users.create(conn, actor, claim=claim, **body)


async def list_users(
    actor: Actor,
    role: list[str] | None = None,
    active: bool | None = None,
    service_account: bool | None = None,
    name: str | None = None,
    email: str | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> Answer:
    given = sent(role=role, active=active, service_account=service_account, name=name, email=email, limit=limit)
    async with pool.connection() as conn:
        page = await users.list_(conn, actor, cursor=cursor, **given)
    return listed(page, "/users", **given)


async def get_user(user_id: str, actor: Actor) -> Answer:
    async with pool.connection() as conn:
        return Answer(await users.get(conn, actor, UUID(user_id)))


async def update_user(user_id: str, body: dict[str, Any], actor: Actor, if_match: str | None = None) -> Answer:
    async with pool.transaction() as conn:
        return Answer(await users.update(conn, actor, UUID(user_id), body, if_match=if_match))
