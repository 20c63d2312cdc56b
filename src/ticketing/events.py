"""Events: the log of what happened. It is only read here; each event is written by the statement of its change."""

from __future__ import annotations

from ticketing import paging, sql, tickets
from ticketing.auth import Actor


async def list_for_ticket(
    conn: sql.Connection, actor: Actor, number: int, *, limit: int = 25, cursor: str | None = None
) -> paging.Page:
    """A page of a ticket's timeline as far as the actor may see it, oldest first. Raises NotFound, InvalidCursor."""
    listing = ["events", number, actor.staff]
    (after,) = paging.opened(cursor, listing, paging.bigint)
    rows = await sql.events.list_ticket_events(
        conn, ticket=number, viewer_id=actor.id, staff=actor.staff, after=after, page_size=limit + 1
    )
    if not rows:
        await tickets.get(conn, actor, number)
    page = paging.page(rows, limit, listing, lambda row: [row["position"]])
    return {
        "items": [{name: value for name, value in row.items() if name != "position"} for row in page["items"]],
        "next": page["next"],
    }
