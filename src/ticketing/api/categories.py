"""/projects/{project_key}/categories"""

from collections.abc import Mapping
from typing import Any

from ticketing.access.actors import Actor
from ticketing.api.answers import listed
from ticketing.api.once import once
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.rules import categories
from ticketing.writing.idempotency import Claim


@once(201, "/projects/{project}/categories/{key}")
async def create_category(project_key: str, body: dict[str, Any], actor: Actor, claim: Claim) -> Mapping[str, Any]:
    async with pool.connection() as conn, claim:
        return await categories.create(conn, actor, project_key, claim=claim, **body)


async def list_categories(project_key: str, actor: Actor, limit: int = 25, cursor: str | None = None) -> Answer:
    async with pool.connection() as conn:
        page = await categories.list_(conn, actor, project_key, limit=limit, cursor=cursor)
    return listed(page, f"/projects/{project_key}/categories", limit=limit)


async def get_category(project_key: str, category_key: str, actor: Actor) -> Answer:
    async with pool.connection() as conn:
        return Answer(await categories.get(conn, actor, project_key, category_key))


async def update_category(
    project_key: str, category_key: str, body: dict[str, Any], actor: Actor, if_match: str | None = None
) -> Answer:
    async with pool.transaction() as conn:
        return Answer(await categories.update(conn, actor, project_key, category_key, body, if_match=if_match))
