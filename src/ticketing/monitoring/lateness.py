"""How late things are: events, deliveries, mails and schedules; and whether the clock is right."""

from __future__ import annotations

import time

import structlog
from prometheus_client import Gauge

from ticketing import jobs
from ticketing.db import pool, sql
from ticketing.ground.config import settings
from ticketing.jobs import kinds

LOOK_SECONDS = 15.0
ENDPOINTS = 20
"""How many endpoints have metrics of their own at once: those with the largest backlog."""
GLANCE, MOST = 100, 1_000
"""Every endpoint's deliveries are counted to the first number; those of the largest backlogs to the second."""
SKEW_SECONDS = 5.0
"""How far our clock may be from the database's: receivers refuse messages signed five minutes off their time."""

BACKLOG = Gauge(
    "ticketing_webhook_backlog",
    f"Pending deliveries of the {ENDPOINTS} endpoints with the most, counted up to {MOST}.",
    ["endpoint"],
    multiprocess_mode="mostrecent",
)
BACKLOG_LATE = Gauge(
    "ticketing_webhook_backlog_late_seconds",
    "Seconds for which the next attempt of an endpoint has been overdue, 0 if it is not or nothing is to be sent.",
    ["endpoint"],
    multiprocess_mode="mostrecent",
)
FAN_OUT_LATE = Gauge(
    "ticketing_webhook_fan_out_late_seconds",
    "Seconds for which an event has been waiting for its webhook deliveries to be made.",
    multiprocess_mode="mostrecent",
)
SEARCH_LATE = Gauge(
    "ticketing_search_late_seconds",
    "Seconds for which a change has been waiting to be found by full text.",
    multiprocess_mode="mostrecent",
)
SEARCH_REBUILDING = Gauge(
    "ticketing_search_rebuilding_seconds",
    "Seconds since it was asked that documents for full text be written again, 0 if none are left.",
    multiprocess_mode="mostrecent",
)
MAIL_LATE = Gauge(
    "ticketing_mail_late_seconds",
    "Seconds for which a mail has been waiting to be sent, or to be written, 0 if none is or nothing is to be sent.",
    multiprocess_mode="mostrecent",
)
FEED_LAG = Gauge(
    "ticketing_feed_lag_seconds",
    "Seconds for which the oldest event that the feed does not show yet has been waiting for an older transaction.",
    multiprocess_mode="mostrecent",
)
SCHEDULE_LATE = Gauge(
    "ticketing_schedule_late_seconds",
    "Seconds for which a schedule has been overdue, 0 if it is not.",
    ["schedule"],
    multiprocess_mode="mostrecent",
)
QUEUE_PAUSED = Gauge(
    "ticketing_queue_paused_seconds",
    "Seconds for which a queue has been paused, 0 if it is not any more.",
    ["queue"],
    multiprocess_mode="mostrecent",
)
CLOCK = Gauge(
    "ticketing_clock_ahead_seconds",
    "Seconds by which the clock of this machine is ahead of the database's.",
    multiprocess_mode="mostrecent",
)

log = structlog.get_logger()
_next_look = 0.0
_right = True
_shown: set[str] = set()
_paused: set[str] = set()


@jobs.loop("lateness")
async def look() -> bool:
    """Measure, if it is time to."""
    global _next_look
    if time.monotonic() >= _next_look:
        _next_look = time.monotonic() + LOOK_SECONDS
        async with pool.connection() as conn:
            await _look_at_the_clock(conn)
            await measure(conn)
    return False


async def measure(conn: sql.Connection) -> None:
    """Measure the backlogs."""
    backlogs = await sql.doctor.list_backlogs(conn, glance=GLANCE, most=MOST, page_size=ENDPOINTS)
    for gone in _shown - {str(row["endpoint_id"]) for row in backlogs}:
        BACKLOG.labels(gone).set(0)
        BACKLOG_LATE.labels(gone).set(0)
        _shown.discard(gone)
    for row in backlogs:
        _shown.add(endpoint := str(row["endpoint_id"]))
        BACKLOG.labels(endpoint).set(row["pending"] or 0)
        BACKLOG_LATE.labels(endpoint).set(max(0, row["late_seconds"] or 0) if settings().outbound != "off" else 0)
    FEED_LAG.set(await sql.doctor.get_held_event_seconds(conn) or 0)
    FAN_OUT_LATE.set(await sql.doctor.get_fan_out_late_seconds(conn) or 0)
    if search := await sql.doctor.get_search_lateness(conn):
        SEARCH_LATE.set(max(0, search["late_seconds"] or 0))
        SEARCH_REBUILDING.set(max(0, search["rebuilding_seconds"] or 0))
    mail_late = await sql.doctor.get_mail_late_seconds(conn) or 0
    MAIL_LATE.set(max(0, mail_late) if settings().outbound != "off" else 0)
    for late in await sql.doctor.list_late_schedules(conn, names=list(kinds.SCHEDULES)):
        SCHEDULE_LATE.labels(late["name"]).set(max(0, late["late_seconds"] or 0))
    pauses = {row["queue"]: row["seconds"] or 0 for row in await sql.doctor.list_pauses(conn)}
    _paused.update(pauses)
    for queue in _paused:
        QUEUE_PAUSED.labels(queue).set(pauses.get(queue, 0))


async def _look_at_the_clock(conn: sql.Connection) -> None:
    global _right
    asked = time.time()
    figures = await sql.doctor.get_server_figures(conn)
    ahead = (asked + time.time()) / 2 - ((figures and figures["clock"]) or asked)
    CLOCK.set(ahead)
    if _right and abs(ahead) > SKEW_SECONDS:
        log.error("the clock is wrong", ahead_seconds=round(ahead, 1), remedy="Synchronise it with the database's.")
    elif not _right and abs(ahead) <= SKEW_SECONDS:
        log.warning("the clock is right again")
    _right = abs(ahead) <= SKEW_SECONDS
