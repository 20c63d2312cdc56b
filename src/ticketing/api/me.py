"""/me"""

from ticketing.access.actors import Actor
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.rules import tokens, users


async def get_me(actor: Actor) -> Answer:
    assert actor.token_id
    async with pool.connection() as conn:
        user = await users.get(conn, actor, actor.user_id)
        token = await tokens.get(conn, actor, actor.token_id)
    return Answer({"user": user, "token": token})
