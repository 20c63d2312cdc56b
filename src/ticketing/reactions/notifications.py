"""Notifications: people are told by mail of what happens to their tickets, and to those that are assigned to them.

They come from the event log, as webhooks do: a worker reads on from where the last one stopped, and writes the mails in
the transaction that moves the place. So an event is told to a person once, however often workers are killed at it, and
no request waits for it. Each event is a mail of its own; mails about one ticket stand together in a mailbox. Whoever is
sent many within an hour is sent no more for an hour, and the last one says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from jinja2 import TemplateError

from ticketing import jobs, mail
from ticketing.db import bell, pool, sql
from ticketing.ground import links
from ticketing.ground.config import settings

PAGE_EVENTS = 200

Told = Mapping[str, Any]
"""Whom to tell of which event, and what there is to say, as `list_notifications` gives it."""

log = structlog.get_logger()


@jobs.loop("notifications.read")
async def notify() -> bool:
    """Tell of the next page of the log. One worker at a time does; the others find the place locked."""
    async with pool.connection() as conn:
        if not await sql.notifications.has_events_to_notify_of(conn):
            return False
        async with conn.transaction():
            page = await sql.notifications.lock_notifications(conn, page_size=PAGE_EVENTS)
            if page is None:
                return False
            place: dict[str, Any] = {"transaction_id": page["transaction_id"], "position": page["position"]}
            until = place | {"page_size": PAGE_EVENTS}
            for told in await sql.notifications.list_notifications(conn, **until):
                try:
                    await _tell(conn, told)
                except (TypeError, TemplateError):
                    # Whatever it is about this one, all that come later would wait for it.
                    log.exception("notification cannot be written", event_id=str(told["event_id"]))
            await sql.notifications.forget_notifications(conn, **until)
            await sql.notifications.move_notifications(conn, **place)
    bell.ring()
    return bool(page["more"])


async def _tell(conn: sql.Connection, told: Told) -> None:
    pause = await sql.notifications.get_notification_pause(
        conn, user_id=told["user_id"], most=settings().notification_mails
    )
    if pause == "paused":
        mail.withheld(told["template"])
        return
    await mail.send(
        conn,
        template=told["template"],
        to=mail.Address(told["name"], told["email"] or ""),
        locale=told["locale"],
        values=_values(told),
        thread=f"ticket-{told['number']}",
        unsubscribe=links.of_page("/support/profile"),
        pausing=links.of_page("/desk" if told["assigned"] else "/support") if pause == "last" else None,
        event_id=told["event_id"],
        user_id=told["user_id"],
    )


def _values(told: Told) -> dict[str, Any]:
    values = {"number": told["number"], "title": told["title"], "url": links.of_ticket(told["number"])}
    match told["template"]:
        case "reply":
            return values | {"author": told["actor"] or "", "body": told["body"] or "", "assigned": told["assigned"]}
        case "resolution":
            return values | {
                "resolution": told["resolution"] or "",
                "note": told["resolution_note"] or "",
                "days": settings().reopen_days,
            }
        case _:
            return values | {"actor": told["actor"] or "", "body": told["body"] or ""}
