"""/ops/v1/jobs"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ticketing.access.actors import Actor
from ticketing.api.answers import listed, sent
from ticketing.api.once import once
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.ground import paths
from ticketing.rules import jobs
from ticketing.writing.idempotency import Claim


async def list_jobs(
    actor: Actor,
    limit: int = 25,
    cursor: str | None = None,
    status: str | None = None,
    type: str | None = None,
    queue: str | None = None,
) -> Answer:
    given = sent(status=status, type=type, queue=queue, limit=limit)
    async with pool.connection() as conn:
        page = await jobs.list_(conn, actor, cursor=cursor, **given)
    return listed(page, "/jobs", below=paths.OPS, **given)


async def get_job(job_id: str, actor: Actor) -> Answer:
    async with pool.connection() as conn:
        return Answer(await jobs.get(conn, actor, UUID(job_id)))


@once(202)
async def retry_job(job_id: str, actor: Actor, claim: Claim) -> Mapping[str, Any]:
    async with pool.connection() as conn, claim:
        return await jobs.retry(conn, actor, UUID(job_id), claim=claim)


@once(202)
async def cancel_job(job_id: str, actor: Actor, claim: Claim) -> Mapping[str, Any]:
    async with pool.connection() as conn, claim:
        return await jobs.cancel(conn, actor, UUID(job_id), claim=claim)
