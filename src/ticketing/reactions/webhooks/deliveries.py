"""Deliveries: what each endpoint was sent, how that went, and sending it again. Only admins see them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
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
    endpoint_id: str | None = None,
    event_id: str | None = None,
    status: sql.DeliveryStatus | None = None,
    event_type: str | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> paging.Page:
    """A page of deliveries, the newest first.

    Raises Forbidden, InvalidCursor, and InvalidParameter for an endpoint or event that is not there.
    """
    policy.require_admin(actor)
    listing = ["deliveries", endpoint_id, event_id, status, event_type]
    (before,) = paging.opened(cursor, listing, UUID)
    rows = await sql.webhooks.list_deliveries(
        conn,
        endpoint_id=UUID(endpoint_id) if endpoint_id else None,
        event_id=UUID(event_id) if event_id else None,
        status=status,
        event_type=event_type,
        before=before,
        page_size=limit + 1,
    )
    if not rows and cursor is None and (endpoint_id or event_id):
        await _check_named(conn, endpoint_id, event_id)
    return paging.page(rows, limit, listing, lambda row: [row["id"]])


async def _check_named(conn: sql.Connection, endpoint_id: str | None, event_id: str | None) -> None:
    endpoint, event = (UUID(id_) if id_ else None for id_ in (endpoint_id, event_id))
    names = [
        filters.Named("endpoint_id", "webhook endpoint", str(endpoint)),
        filters.Named("event_id", "event", str(event)),
    ]
    unsent = await sql.filters.list_unsent(conn, endpoint_id=endpoint, event_id=event)
    filters.refuse(names, unsent, {"event": " It may have been there and not be kept any more."})


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
