"""Jobs of many deliveries: what a pause has held back, and what an admin wants sent again. A batch is a job."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuids

from ticketing import jobs
from ticketing.db import pool, sql
from ticketing.ground import moments
from ticketing.reactions.webhooks.fan_out import delivering

BATCH = 500
LOOKS = 20
"""Batches of events that a job looks at, as long as the endpoint wants none of them."""
CLOCKS_DIFFER_SECONDS = 3600


@jobs.handler("webhooks.release", queue="webhooks", shown=("endpoint_id", "after"))
async def release(job: jobs.Job) -> None:
    """Send what has waited for the end of a pause, the oldest first; if its endpoint was disabled, give it up."""
    async with job.finish() as conn:
        rows = await sql.webhooks.list_held_back(
            conn,
            endpoint_id=UUID(job.args["endpoint_id"]),
            after=_uuid(job.args.get("after")),
            page_size=BATCH,
        )
        await _send(conn, [row["id"] for row in rows])
        if len(rows) == BATCH:
            await _go_on(conn, job, rows[-1]["id"])


@jobs.handler("webhooks.redeliver", queue="webhooks", shown=("event_id", "after"))
async def redeliver(job: jobs.Job) -> None:
    """Do what a `webhook.redelivered` event asks for."""
    async with pool.connection() as conn:
        asked = await sql.webhooks.get_webhook_redelivery(conn, event_id=UUID(job.args["event_id"]))
    if asked is None:
        return
    if asked["delivery_id"] or asked["failed_since"]:
        await _revive(job, asked)
    else:
        await _replay(job, asked)


async def _revive(job: jobs.Job, asked: dict[str, Any]) -> None:
    async with job.finish() as conn:
        rows = await sql.webhooks.revive_deliveries(
            conn,
            endpoint_id=UUID(asked["endpoint_id"]),
            delivery_id=_uuid(asked["delivery_id"]),
            failed_since=asked["failed_since"],
            after=_uuid(job.args.get("after")),
            page_size=BATCH,
        )
        await _send(conn, [row["id"] for row in rows])
        if len(rows) == BATCH:
            await _go_on(conn, job, rows[-1]["id"])


async def _replay(job: jobs.Job, asked: dict[str, Any]) -> None:
    endpoint_id = UUID(asked["endpoint_id"])
    last = _uuid(job.args.get("after") or asked["events_after"]) or _first_id(moments.parse(asked["events_since"]))
    # Before the transaction, which the log would wait for.
    async with pool.connection() as conn:
        for _ in range(LOOKS):
            events = await sql.webhooks.list_events_to_replay(
                conn,
                endpoint_id=endpoint_id,
                after=last,
                until=UUID(asked["id"]),
                since=asked["events_since"],
                page_size=BATCH,
            )
            wanted = [event for event in events if event["wanted"]]
            last = events[-1]["id"] if events else last
            if wanted or len(events) < BATCH:
                break
    async with job.finish() as conn:
        replayed = await sql.webhooks.replay_deliveries(
            conn,
            delivery_ids=[uuids.uuid7() for _ in wanted],
            event_ids=[event["id"] for event in wanted],
            types=[event["type"] for event in wanted],
            endpoint_id=endpoint_id,
        )
        await _send(conn, [each["id"] for each in replayed])
        if len(events) == BATCH:
            await _go_on(conn, job, last)


def _first_id(moment: datetime) -> UUID:
    """A UUIDv7 from before every event since this moment, whatever the clocks of those who make them."""
    return UUID(int=max(0, int((moment.timestamp() - CLOCKS_DIFFER_SECONDS) * 1000)) << 80)


async def _send(conn: sql.Connection, ids: list[UUID]) -> None:
    if ids:
        await sql.webhooks.enqueue_deliveries(conn, delivery_ids=ids, **delivering())


async def _go_on(conn: sql.Connection, job: jobs.Job, last: Any) -> None:
    await jobs.enqueue(conn, job.kind, {**job.args, "after": str(last)})


def _uuid(text: str | None) -> UUID | None:
    return UUID(text) if text else None
