"""Deliveries: what each endpoint was sent, how that went, and sending it again. Only admins see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from ticketing.access import filters, policy
from ticketing.access.actors import Actor
from ticketing.db import sql
from ticketing.ground import moments
from ticketing.ground.errors import EndpointDisabled, Invalid, found
from ticketing.reactions.webhooks import endpoints
from ticketing.writing import paging
from ticketing.writing.idempotency import Claim

CLOCKS_DIFFER = timedelta(minutes=1)
"""How far the clock of whoever asks may be ahead of ours."""


async def list_(
    conn: sql.Connection,
    actor: Actor,
    *,
    endpoint_id: list[str] | None = None,
    event_id: list[str] | None = None,
    status: list[sql.DeliveryStatus] | None = None,
    event_type: list[str] | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> paging.Page:
    """A page of deliveries, the newest first.

    Raises Forbidden, InvalidCursor, and InvalidParameter for an endpoint or event that is not there.
    """
    policy.require_admin(actor)
    wanted: dict[str, Any] = {
        "endpoint_ids": _ids(endpoint_id),
        "event_ids": _ids(event_id),
        "status": status,
        "event_type": event_type,
    }
    listing = ["deliveries", wanted]
    (before,) = paging.opened(cursor, listing, UUID)
    rows = await sql.webhooks.list_deliveries(conn, **wanted, before=before, page_size=limit + 1)
    if cursor is None:
        await _check_named(conn, wanted["endpoint_ids"] or (), wanted["event_ids"] or (), borne=rows[:limit])
    return paging.page(rows, limit, listing, lambda row: [row["id"]])


def _ids(texts: Sequence[str] | None) -> list[UUID] | None:
    return None if texts is None else [UUID(text) for text in texts]


async def _check_named(
    conn: sql.Connection, endpoint_ids: Sequence[UUID], event_ids: Sequence[UUID], *, borne: Sequence[sql.Delivery]
) -> None:
    names = [
        *filters.named(
            "endpoint_id", "webhook endpoint", map(str, endpoint_ids), borne=(str(row["endpoint_id"]) for row in borne)
        ),
        *filters.named("event_id", "event", map(str, event_ids), borne=(str(row["event_id"]) for row in borne)),
    ]
    if names:
        unsent = await sql.filters.list_unsent(conn, endpoint_ids=list(endpoint_ids), event_ids=list(event_ids))
        filters.refuse(names, unsent, hint="It may have been there, and not be kept any more.")


async def get(conn: sql.Connection, actor: Actor, delivery_id: UUID) -> sql.DeliveryDetail:
    """One delivery with its body and attempts. Raises Forbidden, NotFound."""
    policy.require_admin(actor)
    return found(await sql.webhooks.get_delivery(conn, delivery_id=delivery_id), f"delivery {delivery_id}")


async def redeliver(
    conn: sql.Connection,
    actor: Actor,
    endpoint_id: UUID,
    *,
    claim: Claim,
    delivery_id: str | None = None,
    failed_since: str | None = None,
    events_since: str | None = None,
    events_after: str | None = None,
) -> sql.WebhookRedelivery:
    """Record `webhook.redelivered`, upon which the deliveries that one of these names are sent (again).

    Raises Forbidden, NotFound, Invalid, EndpointDisabled.
    """
    policy.require_admin(actor)
    redelivery = await sql.webhooks.insert_webhook_redelivery(
        conn,
        **claim.parameters(),
        actor_id=actor.user_id,
        endpoint_id=endpoint_id,
        delivery_id=UUID(delivery_id) if delivery_id else None,
        failed_since=_past("#/failed_since", failed_since),
        events_since=_past("#/events_since", events_since),
        events_after=UUID(events_after) if events_after else None,
    )
    if redelivery:
        return redelivery
    endpoint = await endpoints.get(conn, actor, endpoint_id)
    if endpoint["status"] == "disabled":
        raise EndpointDisabled("This endpoint is disabled. Set its `status` to `active` before you send to it.")
    if events_after:
        raise Invalid.at(
            "#/events_after",
            "unknown",
            "There is no event with this id, or it is not kept any more. Name another, or a moment as `events_since`.",
        )
    raise Invalid.at("#/delivery_id", "unknown", "This endpoint has no delivery with this id.")


def _past(pointer: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = moments.parse(text)
    except ValueError as fault:
        raise Invalid.at(pointer, "wrong_format", str(fault), format="date-time") from None
    if moment > (now := datetime.now(UTC)) + CLOCKS_DIFFER:
        detail = "This moment is in the future, and nothing has happened since."
        raise Invalid.at(pointer, "too_late", detail, latest=moments.written(now))
    return moment
