"""/me"""

from ticketing import db, tokens, users
from ticketing.auth import Actor
from ticketing.contract import Answer


async def get_me(actor: Actor) -> Answer:
    async with db.connection() as conn:
        user = await users.get(conn, actor, actor.id)
        token = await tokens.get(conn, actor, actor.token_id)
    return Answer({"user": user, "token": token})
