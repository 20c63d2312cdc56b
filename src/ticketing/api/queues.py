"""/queues"""

from ticketing.access.actors import Actor
from ticketing.api.answers import accepted, listed
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.rules import queues
from ticketing.writing import idempotency


async def list_queues(actor: Actor, limit: int = 25, cursor: str | None = None) -> Answer:
    async with pool.connection() as conn:
        page = await queues.list_(conn, actor, limit=limit, cursor=cursor)
    return listed(page, "/queues", limit=limit)


async def pause_queue(queue_name: str, actor: Actor, idempotency_key: str | None = None) -> Answer:
    claim = idempotency.claim(idempotency_key, "pause_queue", queue_name)
    async with pool.connection() as conn, claim:
        return accepted(await queues.pause(conn, actor, queue_name, claim=claim), 200, claim)


async def resume_queue(queue_name: str, actor: Actor, idempotency_key: str | None = None) -> Answer:
    claim = idempotency.claim(idempotency_key, "resume_queue", queue_name)
    async with pool.connection() as conn, claim:
        return accepted(await queues.resume(conn, actor, queue_name, claim=claim), 200, claim)
