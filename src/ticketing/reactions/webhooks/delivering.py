"""The job of one delivery: sign its body, send it, and write down what came of that."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
import uuid_utils.compat as uuids
from prometheus_client import Counter, Histogram

from ticketing import jobs, outbound, sealing
from ticketing.db import pool, sql
from ticketing.ground.config import settings
from ticketing.reactions.webhooks import endpoints, messages, schedule, signing
from ticketing.reactions.webhooks.fan_out import delivering

SECONDS = 15.0
"""How long a receiver may take for everything, from the look-up of its name to its answer."""
AT_ONCE = 2
"""Messages on their way to one endpoint: enough for a busy one, and few enough that a dead one holds nobody up."""
HELD_SECONDS = 60.0
"""How long a delivery waits where nothing is sent, until that is asked again."""
DISABLED = "The endpoint is disabled, so nothing is sent to it."
USER_AGENT = "ticketing-webhooks/1"
WITHHELD = "This is for staff only, and the endpoint does not include internal events any more."

ATTEMPTS = Counter("ticketing_webhook_attempts", "Attempts to deliver a webhook message.", ["outcome"])
UNTELLABLE = Counter(
    "ticketing_webhook_untellable_deliveries",
    "Deliveries that failed because no message can be written for their event.",
)
ATTEMPT_SECONDS = Histogram(
    "ticketing_webhook_attempt_seconds",
    "Seconds from signing a webhook message to its answer, or to giving up on one.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15),
)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of sending a message; `error` is None if it was accepted."""

    started_at: datetime
    milliseconds: int
    outcome: str
    status: int | None = None
    answer: str | None = None
    error: str | None = None
    retry_after: float = 0


# More attempts than a delivery has tries: a worker that is killed uses up one as well.
@jobs.handler(
    "webhooks.deliver",
    queue="webhooks",
    max_attempts=schedule.TRIES + 10,
    timeout=2 * SECONDS,
    group_limit=AT_ONCE,
    shown=("delivery_id",),
)
async def deliver(job: jobs.Job) -> None:
    """Send a delivery, unless it was settled, its endpoint is not sent it any more, or nothing is sent now."""
    if settings().outbound == "off":
        raise jobs.Snooze(HELD_SECONDS)
    async with pool.connection() as conn:
        delivery = await sql.webhooks.get_delivery_to_send(conn, delivery_id=UUID(job.args["delivery_id"]))
    if delivery is None:
        return
    if delivery["endpoint_status"] == "paused":
        await _park(job, delivery)
    elif delivery["endpoint_status"] == "disabled":
        await _unsent(job, delivery, DISABLED)
    elif delivery["withheld"]:
        await _unsent(job, delivery, WITHHELD)
    else:
        await _tell(job, delivery)


async def _tell(job: jobs.Job, delivery: sql.DeliveryToSend) -> None:
    try:
        body = delivery["body"] or await messages.late(
            delivery["event_id"], delivery["endpoint_id"], delivery["format"]
        )
    except messages.Untellable as fault:
        await _untellable(job, delivery, str(fault))
        return
    attempt = await _attempt(delivery, body.encode())
    if attempt.error is None:
        await _accepted(job, delivery, attempt)
    else:
        await _failed(job, delivery, attempt, attempt.error)


async def _park(job: jobs.Job, delivery: sql.DeliveryToSend) -> None:
    async with job.finish() as conn:
        if not await sql.webhooks.park_delivery(conn, delivery_id=delivery["id"], endpoint_id=delivery["endpoint_id"]):
            await sql.webhooks.enqueue_deliveries(conn, delivery_ids=[delivery["id"]], **delivering())


# Sending it ----------------------------------------------------------------------------------------------------------


async def _attempt(delivery: sql.DeliveryToSend, body: bytes) -> Attempt:
    clock = time.perf_counter()
    attempt = await _sent(delivery, body, clock)
    ATTEMPTS.labels(attempt.outcome).inc()
    ATTEMPT_SECONDS.observe(time.perf_counter() - clock)
    log.info(
        "webhook attempt",
        delivery=str(delivery["id"]),
        endpoint=str(delivery["endpoint_id"]),
        outcome=attempt.outcome,
        status=attempt.status,
        error=attempt.error,
        milliseconds=attempt.milliseconds,
    )
    return attempt


async def _sent(delivery: sql.DeliveryToSend, body: bytes, clock: float) -> Attempt:
    # The database's clock: receivers turn away what is signed at another time than theirs, whichever worker did it.
    started_at = delivery["now"]
    assert started_at is not None
    try:
        headers = signing.headers(delivery["event_id"], started_at, body, _secrets(delivery))
        reply = await outbound.post(
            endpoints.guard(),
            delivery["url"],
            {"Content-Type": "application/json", "User-Agent": USER_AGENT, **headers},
            body,
            seconds=SECONDS,
        )
    except sealing.NoKey as fault:
        return Attempt(started_at, _since(clock), "unsealed", error=str(fault))
    except outbound.Failed as fault:
        return Attempt(started_at, _since(clock), fault.outcome, error=str(fault))
    accepted = 200 <= reply.status < 300
    return Attempt(
        started_at,
        _since(clock),
        "accepted" if accepted else f"status_{reply.status // 100}xx",
        reply.status,
        # PostgreSQL's text holds everything but NUL.
        reply.excerpt.decode(errors="replace").replace("\0", "\ufffd"),
        None if accepted else f"The receiver answered {reply.status}.",
        schedule.retry_after(reply.headers.get("retry-after", ""), started_at) if reply.status in (429, 503) else 0,
    )


def _secrets(delivery: sql.DeliveryToSend) -> list[bytes]:
    return [
        endpoints.unsealed(key_id, sealed, delivery["endpoint_id"])
        for key_id, sealed in zip(delivery["key_ids"] or (), delivery["sealed"] or (), strict=True)
    ]


def _since(clock: float) -> int:
    return round((time.perf_counter() - clock) * 1000)


# Writing it down -----------------------------------------------------------------------------------------------------


async def _accepted(job: jobs.Job, delivery: sql.DeliveryToSend, attempt: Attempt) -> None:
    assert attempt.status is not None
    async with job.finish(ring=False) as conn:
        await sql.webhooks.record_success(
            conn,
            delivery_id=delivery["id"],
            endpoint_id=delivery["endpoint_id"],
            started_at=attempt.started_at,
            milliseconds=attempt.milliseconds,
            status=attempt.status,
            answer=attempt.answer or "",
        )


async def _failed(job: jobs.Job, delivery: sql.DeliveryToSend, attempt: Attempt, error: str) -> None:
    gone = attempt.status == 410
    pause = None if gone else schedule.pause_after(delivery["tries"] + 1, attempt.retry_after)
    async with job.finish() if pause is None else job.retry(pause, error) as conn:
        failing = await sql.webhooks.record_failure(
            conn,
            delivery_id=delivery["id"],
            endpoint_id=delivery["endpoint_id"],
            started_at=attempt.started_at,
            milliseconds=attempt.milliseconds,
            status=attempt.status,
            answer=attempt.answer,
            error=error,
            pause=pause,
        )
        await _judge(conn, delivery["endpoint_id"], failing or 0, gone)


async def _untellable(job: jobs.Job, delivery: sql.DeliveryToSend, error: str) -> None:
    """It is not tried again by itself, and an admin sees why; the endpoint is not failing."""
    UNTELLABLE.inc()
    log.error(
        "webhook event cannot be rendered",
        delivery=str(delivery["id"]),
        event_id=str(delivery["event_id"]),
        reason=error,
    )
    await _unsent(job, delivery, error)


async def _unsent(job: jobs.Job, delivery: sql.DeliveryToSend, error: str) -> None:
    """Give up a delivery of which nothing is sent; an admin sees why among its attempts."""
    async with job.finish(ring=False) as conn:
        await sql.webhooks.record_unsent(conn, delivery_id=delivery["id"], error=error)


async def _judge(conn: sql.Connection, endpoint_id: UUID, failing_seconds: float, gone: bool) -> None:
    """Warn of an endpoint that has failed for long, and send nothing to it any more if that does not end."""
    if gone or failing_seconds >= schedule.DISABLE_AFTER.total_seconds():
        await sql.webhooks.disable_webhook_endpoint(conn, event_id=uuids.uuid7(), endpoint_id=endpoint_id)
    elif failing_seconds >= schedule.WARN_AFTER.total_seconds():
        await sql.webhooks.warn_of_webhook_endpoint(conn, event_id=uuids.uuid7(), endpoint_id=endpoint_id)
