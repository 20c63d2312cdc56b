"""/ops/v1/queues"""

from typing import Any

from ticketing.access.actors import Actor
from ticketing.api.answers import listed
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.ground import paths
from ticketing.rules import queues


async def list_queues(actor: Actor, limit: int = 25, cursor: str | None = None) -> Answer:
    async with pool.connection() as conn:
        page = await queues.list_(conn, actor, limit=limit, cursor=cursor)
    return listed(page, "/queues", below=paths.OPS, limit=limit)


async def get_queue(queue_name: str, actor: Actor) -> Answer:
    async with pool.connection() as conn:
        return Answer(await queues.get(conn, actor, queue_name))


async def update_queue(queue_name: str, body: dict[str, Any], actor: Actor, if_match: str | None = None) -> Answer:
    async with pool.transaction() as conn:
        return Answer(await queues.update(conn, actor, queue_name, body, if_match=if_match))
