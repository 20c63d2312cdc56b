"""/tickets/similar"""

from typing import Any

from ticketing.access.actors import Actor
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.rules import similar_tickets


async def find_similar_tickets(body: dict[str, Any], actor: Actor) -> Answer:
    async with pool.asking() as conn:
        return Answer({"items": await similar_tickets.find(conn, actor, **body)})
