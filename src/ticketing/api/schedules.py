"""/ops/v1/schedules"""

from ticketing.access.actors import Actor
from ticketing.api.answers import listed
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.ground import paths
from ticketing.rules import schedules


async def list_schedules(actor: Actor, limit: int = 25, cursor: str | None = None) -> Answer:
    async with pool.connection() as conn:
        page = await schedules.list_(conn, actor, limit=limit, cursor=cursor)
    return listed(page, "/schedules", below=paths.OPS, limit=limit)
