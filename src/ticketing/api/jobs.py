"""/jobs"""

from uuid import UUID

from ticketing.access.actors import Actor
from ticketing.api.answers import accepted, listed, sent
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.rules import jobs
from ticketing.writing import idempotency


async def list_jobs(
    actor: Actor,
    limit: int = 25,
    cursor: str | None = None,
    state: str | None = None,
    kind: str | None = None,
    queue: str | None = None,
) -> Answer:
    given = sent(state=state, kind=kind, queue=queue, limit=limit)
    async with pool.connection() as conn:
        page = await jobs.list_(conn, actor, cursor=cursor, **given)
    return listed(page, "/jobs", **given)


async def get_job(job_id: str, actor: Actor) -> Answer:
    async with pool.connection() as conn:
        return Answer(await jobs.get(conn, actor, UUID(job_id)))


async def retry_job(job_id: str, actor: Actor, idempotency_key: str | None = None) -> Answer:
    claim = idempotency.claim(idempotency_key, "retry_job", job_id)
    async with pool.connection() as conn, claim:
        return accepted(await jobs.retry(conn, actor, UUID(job_id), claim=claim), 200, claim)


async def cancel_job(job_id: str, actor: Actor, idempotency_key: str | None = None) -> Answer:
    claim = idempotency.claim(idempotency_key, "cancel_job", job_id)
    async with pool.connection() as conn, claim:
        return accepted(await jobs.cancel(conn, actor, UUID(job_id), claim=claim), 200, claim)
