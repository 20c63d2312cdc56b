"""From the event log to deliveries: each event once, whoever reads the log and however often they are killed at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import psycopg
import structlog
import uuid_utils.compat as uuids
from psycopg import errors
from psycopg.types.json import Jsonb

from ticketing import jobs
from ticketing.db import bell, outages, pool, sql
from ticketing.reactions.webhooks import messages
from ticketing.reactions.webhooks.messages import LONGEST_BYTES, Message, Untellable

PAGE_EVENTS = 200
"""Events read at once; each becomes a delivery for every endpoint that wants it."""
PAGE_BYTES = 4 * 1024 * 1024
"""What these may have in all, unless it is one event alone: a statement that writes as much takes a tenth of the time
that it has."""
DELIVERIES = 1000
"""Deliveries made by one statement, so that none takes too long, however many endpoints there are."""
OF_THE_EVENTS = (
    psycopg.DataError,
    psycopg.IntegrityError,
    errors.DataCorrupted,
    errors.InternalError_,
    errors.OutOfMemory,
    errors.ProgramLimitExceeded,
    errors.QueryCanceled,
    errors.RaiseException,
    errors.StatementTooComplex,
)
"""What these events may be to blame for; all else, an outage above all, is not for want of another way to read them."""

Entry = Mapping[str, Any]
"""An event of the log with its place there and whom it is to be told to, as `list_events_to_fan_out` gives it."""

log = structlog.get_logger()


@jobs.loop("webhooks.fan_out")
async def fan_out() -> bool:
    """Read on from where the last one stopped. One worker at a time does; the others find the place locked."""
    try:
        return await _read_on(page_bytes=PAGE_BYTES, longest=LONGEST_BYTES)
    except (psycopg.Error, pool.Unavailable) as error:
        cause = error if isinstance(error, psycopg.Error) else error.__cause__
        if not isinstance(cause, OF_THE_EVENTS):
            raise
        # Whatever it is about these events, all that come later would wait for it. So they are not read: deliveries are
        # made without messages, and each job writes its own, or fails alone.
        more = await _read_on(page_bytes=None, longest=None)
        log.error("messages are left to their deliveries", error=outages.message(cause))
        return more


async def _read_on(*, page_bytes: int | None, longest: int | None) -> bool:
    async with pool.connection() as conn:
        if not await sql.webhooks.has_events_to_fan_out(conn):
            return False
        async with conn.transaction():
            more = await _read_page(conn, page_bytes=page_bytes, longest=longest)
    if more is not None:
        bell.ring()
    return bool(more)


async def _read_page(conn: sql.Connection, *, page_bytes: int | None, longest: int | None) -> bool | None:
    """Make the deliveries of a page; gives whether the log goes on. None: another worker is at it, or has done it."""
    if await sql.webhooks.lock_webhook_fan_out(conn) is None:
        return None
    events: Sequence[Entry] = await sql.webhooks.list_events_to_fan_out(
        conn, page_size=PAGE_EVENTS, page_bytes=page_bytes, longest=longest
    )
    if not events:
        return None
    await messages.keep(conn, _messages(events))
    await _make_deliveries(conn, events)
    for event in events:
        await _follow(conn, event)
    last = events[-1]
    await sql.webhooks.move_webhook_fan_out(conn, transaction_id=last["transaction_id"], position=last["position"])
    return bool(last["more"])


def _messages(events: Sequence[Entry]) -> Iterator[Message]:
    """The messages of these events. If one cannot be rendered, its deliveries will find out, and say so."""
    for each in events:
        formats = {endpoint["format"] for endpoint in each["endpoints"]}
        if not formats:
            continue
        with suppress(Untellable):
            parts = messages.read(each["public"], each["whole"], each["internal"])
            for format in formats:
                with suppress(Untellable):
                    yield messages.write(each["id"], format, parts)


async def _make_deliveries(conn: sql.Connection, events: Sequence[Entry]) -> None:
    told = [(event, endpoint) for event in events for endpoint in event["endpoints"]]
    rows = [
        {
            "place": place,
            "id": uuids.uuid7(),
            "endpoint_id": endpoint["id"],
            "event_id": event["id"],
            "type": event["type"],
            "paused": endpoint["status"] == "paused",
        }
        for place, (event, endpoint) in enumerate(told)
    ]
    for start in range(0, len(rows), DELIVERIES):
        batch = Jsonb(rows[start : start + DELIVERIES])
        await sql.webhooks.insert_deliveries(conn, rows=batch, **delivering())


def delivering() -> dict[str, Any]:
    """What the kind of job that sends a delivery declares, for statements that enqueue many of them."""
    kind = jobs.kind("webhooks.deliver")
    assert kind.group_limit is not None
    return {"queue": kind.queue, "max_attempts": kind.max_attempts, "group_limit": kind.group_limit}


async def _follow(conn: sql.Connection, event: Entry) -> None:
    """Do what an event asks of us, beside telling of it."""
    if event["type"] == "webhook.redelivered":
        await jobs.enqueue(conn, "webhooks.redeliver", {"event_id": event["id"]})
    elif event["released"]:
        # What was held back is now to be sent, or to be given up.
        await jobs.enqueue(conn, "webhooks.release", {"endpoint_id": event["subject"]})
    elif event["type"] == "comment.deleted":
        comment = {"ticket": event["ticket"], "comment_id": event["subject"]}
        await jobs.enqueue(conn, "webhooks.forget", comment)
