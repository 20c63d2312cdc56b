"""/me"""

from typing import Any

from ticketing.access.actors import Actor
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.rules import me


async def get_me(actor: Actor) -> Answer:
    async with pool.connection() as conn:
        return Answer(await me.get(conn, actor))


async def update_me(body: dict[str, Any], actor: Actor, if_match: str | None = None) -> Answer:
    async with pool.transaction() as conn:
        return Answer(await me.update(conn, actor, body, if_match=if_match))
