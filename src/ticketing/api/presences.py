"""/tickets/{number}/presences"""

from typing import Any

from ticketing.access.actors import Actor
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.rules import presences


async def create_presence(number: int, body: dict[str, Any], actor: Actor) -> Answer:
    async with pool.connection() as conn:
        return Answer(await presences.note(conn, actor, number, **body), 201)


async def delete_presence(number: int, actor: Actor) -> Answer:
    async with pool.connection() as conn:
        await presences.end(conn, actor, number)
    return Answer(None, 204)
