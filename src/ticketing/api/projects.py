"""/projects"""

from collections.abc import Mapping
from typing import Any

from ticketing.access.actors import Actor
from ticketing.api.answers import listed
from ticketing.api.once import once
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.rules import projects
from ticketing.writing.idempotency import Claim


@once(201, "/projects/{key}")
async def create_project(body: dict[str, Any], actor: Actor, claim: Claim) -> Mapping[str, Any]:
    async with pool.connection() as conn, claim:
        return await projects.create(conn, actor, claim=claim, **body)


async def list_projects(actor: Actor, limit: int = 25, cursor: str | None = None) -> Answer:
    async with pool.connection() as conn:
        page = await projects.list_(conn, actor, limit=limit, cursor=cursor)
    return listed(page, "/projects", limit=limit)


async def get_project(project_key: str, actor: Actor) -> Answer:
    async with pool.connection() as conn:
        return Answer(await projects.get(conn, actor, project_key))


async def update_project(project_key: str, body: dict[str, Any], actor: Actor, if_match: str | None = None) -> Answer:
    async with pool.transaction() as conn:
        return Answer(await projects.update(conn, actor, project_key, body, if_match=if_match))
