"""From the event log to deliveries: each event once, whoever reads the log and however often they are killed at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuids
from psycopg.types.json import Jsonb

from ticketing import bell, db, jobs, sql
from ticketing.webhooks import payloads
from ticketing.webhooks.payloads import Event

BATCH = 200
"""Events read at once; each becomes a delivery for every endpoint that wants it."""
DELIVERIES = 1000
"""Deliveries made by one statement, so that none takes too long, however many endpoints there are."""


@jobs.loop("webhooks.fan_out")
async def fan_out() -> bool:
    """Read on from where the last one stopped. One worker at a time does; the others find the place locked."""
    async with db.transaction() as conn:
        if await sql.webhooks.take_webhook_fan_out(conn) is None:
            return False
        events: Sequence[Event] = await sql.webhooks.list_events_to_fan_out(conn, page_size=BATCH)
        if not events:
            return False
        await _make_deliveries(conn, events)
        for event in events:
            await _follow(conn, event)
        last = events[-1]
        await sql.webhooks.move_webhook_fan_out(conn, transaction_id=last["transaction_id"], position=last["position"])
    bell.ring()
    return len(events) == BATCH


async def _make_deliveries(conn: sql.Connection, events: Sequence[Event]) -> None:
    rows = []
    for event in events:
        formats = {endpoint["format"] for endpoint in event["endpoints"]}
        bodies = {format: payloads.body(format, event) for format in formats}
        rows += [
            {
                "id": uuids.uuid7(),
                "endpoint_id": endpoint["id"],
                "event_id": event["id"],
                "type": event["type"],
                "body": bodies[endpoint["format"]],
                "paused": endpoint["state"] == "paused",
            }
            for endpoint in event["endpoints"]
        ]
    for start in range(0, len(rows), DELIVERIES):
        batch = Jsonb(rows[start : start + DELIVERIES])
        await sql.webhooks.insert_deliveries(conn, rows=batch, **delivering())


def delivering() -> dict[str, Any]:
    """What the kind of job that sends a delivery declares, for statements that enqueue many of them."""
    kind = jobs.kind("webhooks.deliver")
    assert kind.group_limit is not None
    return {"queue": kind.queue, "max_attempts": kind.max_attempts, "group_limit": kind.group_limit}


async def _follow(conn: sql.Connection, event: Event) -> None:
    """Do what an event asks of us, beside telling of it."""
    if event["type"] == "webhook.redelivered":
        await jobs.enqueue(conn, "webhooks.redeliver", {"event_id": event["id"]})
    elif event["type"] in ("webhook.updated", "webhook.disabled") and _released(event):
        await jobs.enqueue(conn, "webhooks.release", {"endpoint_id": event["data"]["id"]})
    elif event["type"] == "comment.deleted":
        await _forget(conn, event)


def _released(event: Event) -> bool:
    """Whether what was held back is now to be sent, or to be given up."""
    return event["previous"].get("state") in ("paused", "disabled") and event["data"]["state"] != "paused"


async def _forget(conn: sql.Connection, event: Event) -> None:
    """A comment that was taken back is not told of any more: the log has lost its text, and so do the deliveries."""
    for row in await sql.webhooks.list_deliveries_of_comment(
        conn, ticket=event["ticket"], comment_id=str(event["data"]["id"])
    ):
        await sql.webhooks.update_delivery_body(
            conn, delivery_id=UUID(str(row["delivery_id"])), body=payloads.body(row["format"], row)
        )
