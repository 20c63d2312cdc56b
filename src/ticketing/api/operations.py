"""/jobs, /queues and /schedules"""

from uuid import UUID

from ticketing import db, idempotency, operations
from ticketing.api.answers import accepted, listed, sent
from ticketing.auth import Actor
from ticketing.contract import Answer


async def list_jobs(
    actor: Actor,
    limit: int = 25,
    cursor: str | None = None,
    state: str | None = None,
    kind: str | None = None,
    queue: str | None = None,
) -> Answer:
    given = sent(state=state, kind=kind, queue=queue, limit=limit)
    async with db.connection() as conn:
        page = await operations.list_jobs(conn, actor, cursor=cursor, **given)
    return listed(page, "/jobs", **given)


async def get_job(job_id: str, actor: Actor) -> Answer:
    async with db.connection() as conn:
        return Answer(await operations.get_job(conn, actor, UUID(job_id)))


async def retry_job(job_id: str, actor: Actor, idempotency_key: str | None = None) -> Answer:
    claim = idempotency.claim(idempotency_key, "retry_job", job_id)
    async with db.connection() as conn, claim:
        return accepted(await operations.retry_job(conn, actor, UUID(job_id), claim=claim), 200, claim)


async def cancel_job(job_id: str, actor: Actor, idempotency_key: str | None = None) -> Answer:
    claim = idempotency.claim(idempotency_key, "cancel_job", job_id)
    async with db.connection() as conn, claim:
        return accepted(await operations.cancel_job(conn, actor, UUID(job_id), claim=claim), 200, claim)


async def list_queues(actor: Actor, limit: int = 25, cursor: str | None = None) -> Answer:
    async with db.connection() as conn:
        page = await operations.list_queues(conn, actor, limit=limit, cursor=cursor)
    return listed(page, "/queues", limit=limit)


async def pause_queue(queue_name: str, actor: Actor, idempotency_key: str | None = None) -> Answer:
    claim = idempotency.claim(idempotency_key, "pause_queue", queue_name)
    async with db.connection() as conn, claim:
        return accepted(await operations.pause_queue(conn, actor, queue_name, claim=claim), 200, claim)


async def resume_queue(queue_name: str, actor: Actor, idempotency_key: str | None = None) -> Answer:
    claim = idempotency.claim(idempotency_key, "resume_queue", queue_name)
    async with db.connection() as conn, claim:
        return accepted(await operations.resume_queue(conn, actor, queue_name, claim=claim), 200, claim)


async def list_schedules(actor: Actor, limit: int = 25, cursor: str | None = None) -> Answer:
    async with db.connection() as conn:
        page = await operations.list_schedules(conn, actor, limit=limit, cursor=cursor)
    return listed(page, "/schedules", limit=limit)
