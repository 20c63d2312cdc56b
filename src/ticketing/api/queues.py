"""/ops/v1/queues"""

from collections.abc import Mapping
from typing import Any

from ticketing.access.actors import Actor
from ticketing.api.answers import listed
from ticketing.api.once import once
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.ground import paths
from ticketing.rules import queues
from ticketing.writing.idempotency import Claim


async def list_queues(actor: Actor, limit: int = 25, cursor: str | None = None) -> Answer:
    async with pool.connection() as conn:
        page = await queues.list_(conn, actor, limit=limit, cursor=cursor)
    return listed(page, "/queues", below=paths.OPS, limit=limit)


@once(200)
async def pause_queue(queue_name: str, actor: Actor, claim: Claim) -> Mapping[str, Any]:
    async with pool.connection() as conn, claim:
        return await queues.pause(conn, actor, queue_name, claim=claim)


@once(200)
async def resume_queue(queue_name: str, actor: Actor, claim: Claim) -> Mapping[str, Any]:
    async with pool.connection() as conn, claim:
        return await queues.resume(conn, actor, queue_name, claim=claim)
