"""The service's worker with two more kinds of job: an effect that can be counted, and a poison job."""

from __future__ import annotations

import asyncio
import os

from ticketing import jobs
from ticketing.processes import work

COMMAND = ("chaos.worker",)


@jobs.handler("chaos.effect", max_attempts=50)
async def effect(job: jobs.Job) -> None:
    """Record an order's effect, which may take some seconds."""
    await asyncio.sleep(job.args.get("seconds", 0))
    async with job.finish() as conn:
        await conn.execute("insert into chaos_effects (order_id) values (%s)", [job.args["order"]])


@jobs.handler("chaos.poison", max_attempts=3)
async def poison(_: jobs.Job) -> None:
    """Kill the whole process, as a fault in a library might."""
    os._exit(1)


if __name__ == "__main__":
    work.run(processes=1, threads=8, queues=(), address=None, leashed=False)
