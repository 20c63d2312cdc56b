"""What is done about webhooks every hour: keep the log short, seal secrets with the newest key, forget no delivery."""

from __future__ import annotations

import structlog

from ticketing import jobs, sealing
from ticketing.db import pool, sql
from ticketing.ground.config import settings
from ticketing.reactions.webhooks import endpoints
from ticketing.reactions.webhooks.fan_out import delivering

BATCH = 1000
OVERDUE_SECONDS = 900.0

log = structlog.get_logger()


@jobs.schedule("webhooks.upkeep", "17 * * * *", missed="last")
@jobs.handler("webhooks.upkeep", timeout=300)
async def upkeep(job: jobs.Job) -> None:  # noqa: ARG001 - it has no arguments
    async with pool.connection() as conn:
        await reseal(conn)
        await pick_up_strays(conn)
        while await sql.webhooks.delete_old_deliveries(conn, days=settings().delivery_days, batch=BATCH) >= BATCH:
            pass
        while await sql.webhooks.delete_orphaned_deliveries(conn, batch=BATCH) >= BATCH:
            pass


async def reseal(conn: sql.Connection) -> None:
    """Seal every secret with the first key, so that the others can go."""
    key_id = sealing.first_key()
    if key_id is None:
        return
    after = None
    while secrets := await sql.webhooks.list_secrets_to_reseal(conn, key_id=key_id, after=after, page_size=BATCH):
        for secret in secrets:
            try:
                clear = endpoints.unsealed(secret["key_id"], secret["sealed"], secret["endpoint_id"])
            except sealing.NoKey as fault:
                log.warning("webhook secret is lost", endpoint=str(secret["endpoint_id"]), reason=str(fault))
                continue
            await sql.webhooks.reseal_webhook_secret(
                conn, secret_id=secret["id"], **endpoints.sealed(clear, secret["endpoint_id"])
            )
        after = secrets[-1]["id"]


async def pick_up_strays(conn: sql.Connection) -> None:
    """A delivery whose job was cancelled by an operator, or discarded with its workers, gets another one."""
    due, after = None, None
    while rows := await sql.webhooks.list_stray_deliveries(
        conn, overdue_seconds=OVERDUE_SECONDS, after_due=due, after=after, page_size=BATCH
    ):
        await sql.webhooks.enqueue_deliveries(conn, delivery_ids=[row["id"] for row in rows], **delivering())
        due, after = rows[-1]["due"], rows[-1]["id"]
