"""/tickets/{number}/events"""

from ticketing import db, events
from ticketing.api.answers import listed
from ticketing.auth import Actor
from ticketing.contract import Answer


async def list_ticket_events(number: int, actor: Actor, limit: int = 25, cursor: str | None = None) -> Answer:
    async with db.connection() as conn:
        page = await events.list_for_ticket(conn, actor, number, limit=limit, cursor=cursor)
    return listed(page, f"/tickets/{number}/events", limit=limit)
